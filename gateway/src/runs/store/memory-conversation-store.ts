// The records of conversations in memory, for a log in memory. A step is atomic because nothing is awaited in it.

import type { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import {
  conversationChannel,
  type OwnedKey,
  ownedKey,
  partsOf,
  runChannel,
} from '@llm-streamer/shared/ownership.ts';
import {
  type ConversationRecord,
  type ConversationStore,
  LISTED_CONVERSATIONS,
} from './conversation-store.ts';
import { LISTED_RUNS, type RunRecord } from './run-store.ts';

/** Records of all owners together. */
const MAX_CONVERSATIONS = 20 * LISTED_CONVERSATIONS;

/** What is needed of the records of runs. */
interface RunRecords {
  get(key: OwnedKey): RunRecord | undefined;
  forget(key: OwnedKey): void;
}

interface StoredConversation {
  title: string;
  agent: string | undefined;
  last: number;
  /** In the order in which they began. */
  runs: Set<OwnedKey>;
}

export class MemoryConversationStore implements ConversationStore {
  readonly #broker: MemoryBroker;
  readonly #runs: RunRecords;
  /** The one whose newest run began last is at the end. */
  readonly #conversations = new Map<OwnedKey, StoredConversation>();
  readonly #counts = new Map<string, number>();

  constructor(broker: MemoryBroker, runs: RunRecords) {
    this.#broker = broker;
    this.#runs = runs;
  }

  /** A run of a conversation has begun. */
  began({ owner, id, conversationId = '', agent, started }: RunRecord, title: string): void {
    const key = ownedKey(owner, conversationId);
    const known = this.#conversations.get(key);
    const runs = known?.runs ?? new Set();
    runs.add(ownedKey(owner, id));
    for (const oldest of runs) if (runs.size > LISTED_RUNS) runs.delete(oldest);
    this.#conversations.delete(key);
    this.#conversations.set(key, { title: known?.title ?? title, agent, last: started, runs });
    if (known) return;
    this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + 1);
    this.#forgetOldest(owner);
  }

  async list(
    owner: string,
    limit: number,
    allows: (key: OwnedKey) => boolean = () => true,
  ): Promise<ConversationRecord[]> {
    return [...this.#conversations]
      .filter(([key]) => partsOf(key).owner === owner && allows(key))
      .slice(-limit)
      .reverse()
      .map(([key, stored]) => this.#recordOf(key, stored));
  }

  async get(key: OwnedKey): Promise<ConversationRecord | undefined> {
    const stored = this.#conversations.get(key);
    return stored && this.#recordOf(key, stored);
  }

  async rename(key: OwnedKey, title: string): Promise<boolean> {
    const stored = this.#conversations.get(key);
    if (stored) stored.title = title;
    return stored !== undefined;
  }

  async delete(key: OwnedKey): Promise<'deleted' | 'running' | 'unknown'> {
    const stored = this.#conversations.get(key);
    if (!stored) return this.#broker.dropEntries([conversationChannel(key)]) ? 'deleted' : 'unknown';
    const of = [...stored.runs].filter((run) => this.#isOf(run, key));
    if (of.some((run) => this.#runs.get(run)?.state === 'running')) return 'running';
    for (const run of of) this.#runs.forget(run);
    this.#broker.dropEntries([conversationChannel(key), ...of.map(runChannel)]);
    this.#forget(key);
    return 'deleted';
  }

  /** The id of a run whose record was forgotten may name a run of another conversation today. */
  #isOf(run: OwnedKey, key: OwnedKey): boolean {
    const record = this.#runs.get(run);
    return record === undefined || record.conversationId === partsOf(key).id;
  }

  #recordOf(key: OwnedKey, { title, agent, last, runs }: StoredConversation): ConversationRecord {
    const running = [...runs].filter(
      (run) => this.#isOf(run, key) && this.#runs.get(run)?.state === 'running',
    );
    return {
      ...partsOf(key),
      title,
      ...(agent !== undefined && { agent }),
      last,
      runs: runs.size,
      running: running.reverse().map((run) => partsOf(run).id),
    };
  }

  /** The owner's own oldest goes if he has too many; the oldest of all only where those of all are too many. */
  #forgetOldest(owner: string): void {
    const isOwnersFull = (this.#counts.get(owner) ?? 0) > LISTED_CONVERSATIONS;
    if (!isOwnersFull && this.#conversations.size <= MAX_CONVERSATIONS) return;
    for (const key of this.#conversations.keys()) {
      if (isOwnersFull && partsOf(key).owner !== owner) continue;
      this.#forget(key);
      return;
    }
  }

  #forget(key: OwnedKey): void {
    this.#conversations.delete(key);
    const { owner } = partsOf(key);
    const left = (this.#counts.get(owner) ?? 1) - 1;
    if (left > 0) this.#counts.set(owner, left);
    else this.#counts.delete(owner);
  }
}
