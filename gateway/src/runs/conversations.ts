// The conversations of a person, as the records of his runs tell: which there are, when each went on last, and how it begins.

import type { ConversationSummary } from '@llm-streamer/shared/api-types.ts';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { conversationChannel, type OwnedKey, ownedKey } from '@llm-streamer/shared/ownership.ts';
import { turnOf } from './conversation.ts';
import { LISTED_RUNS, type RunRecord, type RunScope, type RunStore } from './store/run-store.ts';

/** UTF-16 units of a title. */
const MAX_TITLE = 80;

export class Conversations {
  readonly #store: Pick<RunStore, 'list'>;
  readonly #broker: Pick<Broker, 'readPage'>;

  constructor(store: Pick<RunStore, 'list'>, broker: Pick<Broker, 'readPage'>) {
    this.#store = store;
    this.#broker = broker;
  }

  /** The newest `limit` conversations of the runs in `scope`, the newest first. @param allows which of them may be told. */
  async list(
    limit: number,
    scope: RunScope,
    allows: (key: OwnedKey) => boolean,
  ): Promise<ConversationSummary[]> {
    const runs = await this.#store.list(LISTED_RUNS, scope);
    const newest = [...Map.groupBy(runs, keyOf)]
      .flatMap(([key, of]) => (key !== undefined && allows(key) ? [{ key, of }] : []))
      .slice(0, limit);
    return Promise.all(newest.map(({ key, of }) => this.#summary(key, of)));
  }

  async #summary(key: OwnedKey, runs: readonly RunRecord[]): Promise<ConversationSummary> {
    const { owner, conversationId = '', agent, started } = runs[0] as RunRecord;
    const title = await this.#title(key);
    return {
      conversation_id: conversationId,
      ...(owner !== '' && { owner }),
      ...(title !== undefined && { title }),
      ...(agent !== undefined && { agent }),
      last: started,
      runs: runs.length,
      running: runs.flatMap(({ id, state }) => (state === 'running' ? [id] : [])),
    };
  }

  /** The beginning of the first question that is kept. */
  async #title(key: OwnedKey): Promise<string | undefined> {
    const channels = [conversationChannel(key)];
    const { items } = await this.#broker.readPage({ channels, after: BEGINNING, limit: 2 });
    const first = items.find(({ record }) => record)?.record;
    const words = first && turnOf(first.entry)?.text.replace(/\s+/g, ' ').trim();
    if (words === undefined || words.length <= MAX_TITLE) return words;
    return `${words.slice(0, MAX_TITLE - 1).toWellFormed()}…`;
  }
}

function keyOf({ owner, conversationId }: RunRecord): OwnedKey | undefined {
  return conversationId === undefined ? undefined : ownedKey(owner, conversationId);
}
