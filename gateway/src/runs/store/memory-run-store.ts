// The records of runs in memory, for a log in memory. A step is atomic because nothing is awaited between its check and its
// append.

import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import type { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { type OwnedKey, ownedKey } from '@llm-streamer/shared/ownership.ts';
import { MemoryConversationStore } from './memory-conversation-store.ts';
import {
  type Approval,
  type Decision,
  type EndGuard,
  fenced,
  LISTED_RUNS,
  type RunBeginning,
  type RunEnding,
  type RunRecord,
  type RunScope,
  type RunStore,
} from './run-store.ts';

interface StoredRun {
  token: string;
  record: RunRecord;
}

/** Records of all owners together: at about 1 kB each, they take 20 MB. */
const MAX_RUNS = 20 * LISTED_RUNS;

export class MemoryRunStore implements RunStore {
  readonly conversations: MemoryConversationStore;
  readonly #broker: MemoryBroker;
  /** In the order in which the runs began. */
  readonly #runs = new Map<OwnedKey, StoredRun>();
  /** How many runs each owner has. */
  readonly #counts = new Map<string, number>();

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
    this.conversations = new MemoryConversationStore(broker, {
      get: (key) => this.#runs.get(key)?.record,
      forget: (key) => {
        const run = this.#runs.get(key);
        if (run) this.#forget(key, run.record);
      },
    });
  }

  async begin(
    { title = '', ...facts }: RunBeginning,
    token: string,
    drafts: readonly Draft[],
  ): Promise<'started' | 'exists'> {
    const key = ownedKey(facts.owner, facts.id);
    const known = this.#runs.get(key);
    if (known) return known.token === token ? 'started' : 'exists';
    const record: RunRecord = {
      ...facts,
      state: 'running',
      started: Date.now(),
      ended: 0,
      renewed: 1,
      totals: { inputTokens: 0, outputTokens: 0, durationMs: 0 },
      approvals: [],
    };
    this.#runs.set(key, { token, record });
    this.#counts.set(facts.owner, (this.#counts.get(facts.owner) ?? 0) + 1);
    await this.#broker.publish(drafts).catch((error: unknown) => {
      this.#forget(key, record);
      throw error;
    });
    this.#forgetOldest(facts.owner);
    if (record.conversationId !== undefined) this.conversations.began(record, title);
    return 'started';
  }

  async append(key: OwnedKey, token: string, drafts: readonly Draft[], stamp?: WriterStamp): Promise<void> {
    this.#writable(key, token).record.renewed++;
    await this.#broker.publish(drafts, stamp);
  }

  async ask(
    key: OwnedKey,
    token: string,
    approval: string,
    drafts: readonly Draft[],
    stamp: WriterStamp,
  ): Promise<void> {
    const { record } = this.#writable(key, token);
    // Before the entry is written: whoever reads it may decide at once.
    if (!record.approvals.some(({ id }) => id === approval))
      record.approvals = [...record.approvals, { id: approval }];
    await this.append(key, token, drafts, stamp);
  }

  async decide(
    key: OwnedKey,
    approval: string,
    decision: Decision,
    drafts: readonly Draft[],
  ): Promise<'ok' | 'decided' | 'unknown' | 'ended'> {
    const record = this.#runs.get(key)?.record;
    if (record?.state !== 'running') return 'ended';
    const before = record.approvals;
    const known = before.find(({ id }) => id === approval);
    if (!known) return 'unknown';
    if (known.decision) return 'decided';
    const decided: Approval = { ...known, decision };
    record.approvals = before.map((one) => (one === known ? decided : one));
    await this.#broker.publish(drafts).catch((error: unknown) => {
      record.approvals = record.approvals.map((one) => (one === decided ? known : one));
      throw error;
    });
    return 'ok';
  }

  async end(key: OwnedKey, ending: RunEnding, drafts: readonly Draft[], guard: EndGuard): Promise<boolean> {
    const run = this.#runs.get(key);
    if (run?.record.state !== 'running' || !allows(guard, run)) return false;
    const before = run.record;
    run.record = { ...before, ...ending, ended: Date.now() };
    await this.#broker.publish(drafts).catch((error: unknown) => {
      run.record = before;
      throw error;
    });
    return true;
  }

  async get(key: OwnedKey): Promise<RunRecord | undefined> {
    const record = this.#runs.get(key)?.record;
    return record && { ...record };
  }

  async list(limit: number, { owners, allows }: RunScope = {}): Promise<RunRecord[]> {
    const wanted = owners && new Set(owners);
    const found: RunRecord[] = [];
    for (const [key, { record }] of [...this.#runs].reverse()) {
      if (found.length === limit) break;
      if ((wanted?.has(record.owner) ?? true) && (allows?.(key) ?? true)) found.push({ ...record });
    }
    return found;
  }

  async running(): Promise<{ key: OwnedKey; renewed: number }[]> {
    return [...this.#runs].flatMap(([key, { record }]) =>
      record.state === 'running' ? [{ key, renewed: record.renewed }] : [],
    );
  }

  async close(): Promise<void> {
    this.#runs.clear();
    this.#counts.clear();
  }

  #writable(key: OwnedKey, token: string): StoredRun {
    const run = this.#runs.get(key);
    if (run?.record.state !== 'running' || run.token !== token) throw fenced();
    return run;
  }

  /** The owner's own oldest run goes if he has too many; the oldest of all only where the records of all are too many. */
  #forgetOldest(owner: string): void {
    const isOwnersFull = (this.#counts.get(owner) ?? 0) > LISTED_RUNS;
    if (!isOwnersFull && this.#runs.size <= MAX_RUNS) return;
    for (const [key, { record }] of this.#runs) {
      if (record.state === 'running' || (isOwnersFull && record.owner !== owner)) continue;
      this.#forget(key, record);
      return;
    }
  }

  #forget(key: OwnedKey, { owner }: RunRecord): void {
    this.#runs.delete(key);
    const left = (this.#counts.get(owner) ?? 1) - 1;
    if (left > 0) this.#counts.set(owner, left);
    else this.#counts.delete(owner);
  }
}

function allows(guard: EndGuard, { token, record }: StoredRun): boolean {
  if (guard === 'anybody') return true;
  return 'token' in guard ? guard.token === token : guard.renewed === record.renewed;
}
