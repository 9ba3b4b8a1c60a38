// The conversations of a person: which there are, and where words were said in them. Naming and deleting them is the work of the store.

import type { ConversationSummary } from '@llm-streamer/shared/api-types.ts';
import type { Broker, Page } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING, type Position } from '@llm-streamer/shared/broker/position.ts';
import { conversationChannel, type OwnedKey, ownedKey } from '@llm-streamer/shared/ownership.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { turnOf } from './conversation.ts';
import {
  type ConversationRecord,
  type ConversationStore,
  LISTED_CONVERSATIONS,
} from './store/conversation-store.ts';

/** About how many bytes of turns one search reads. */
const SEARCHED_BYTES = 16_777_216;
const PAGE = 100;
/** UTF-16 units before and behind what was found. */
const AROUND = 60;

export interface Found {
  conversations: ConversationSummary[];
  /** Whether the search ended before it had looked at all. */
  stopped: boolean;
}

export class Conversations {
  readonly store: ConversationStore;
  readonly #broker: Pick<Broker, 'readPage'>;
  readonly #pace = new TimeSlicer();
  readonly #searchedBytes: number;

  constructor(
    store: ConversationStore,
    broker: Pick<Broker, 'readPage'>,
    searchedBytes: number = SEARCHED_BYTES,
  ) {
    this.store = store;
    this.#broker = broker;
    this.#searchedBytes = searchedBytes;
  }

  /** The newest `limit` conversations of `owner`, the newest first. @param allows which of them may be told. */
  async list(
    owner: string,
    limit: number,
    allows: (key: OwnedKey) => boolean,
  ): Promise<ConversationSummary[]> {
    return (await this.store.list(owner, limit, allows)).map((record) => summaryOf(record));
  }

  async get(key: OwnedKey): Promise<ConversationSummary | undefined> {
    const record = await this.store.get(key);
    return record && summaryOf(record);
  }

  /**
   * Those of the list whose title, or one turn, contains each of `words`, whatever the case of letters: each with what was found, of its
   * turns the newest. It ends early if more would have to be read than a bound, or if `isAbandoned`.
   */
  async search(
    words: readonly string[],
    owner: string,
    limit: number,
    allows: (key: OwnedKey) => boolean,
    isAbandoned: () => boolean,
  ): Promise<Found> {
    const wanted = words.map((word) => word.toLowerCase());
    const found: ConversationSummary[] = [];
    const all = await this.store.list(owner, LISTED_CONVERSATIONS, allows);
    let left = this.#searchedBytes;
    for (const record of all) {
      if (found.length === limit || left <= 0 || isAbandoned())
        return { conversations: found, stopped: true };
      const inTitle = excerptOf(record.title, wanted);
      if (inTitle !== undefined) {
        found.push(summaryOf(record, inTitle));
        continue;
      }
      for await (const { items } of this.#pages(ownedKey(record.owner, record.id))) {
        const { excerpt, bytes } = await this.#look(items, wanted);
        left -= bytes;
        if (excerpt !== undefined) found.push(summaryOf(record, excerpt));
        if (excerpt !== undefined || left <= 0 || isAbandoned()) break;
      }
    }
    return { conversations: found, stopped: left <= 0 };
  }

  async #look(items: Page['items'], wanted: readonly string[]): Promise<{ excerpt?: string; bytes: number }> {
    let bytes = 0;
    for (const { record } of items) {
      const pause = this.#pace.pauseIfDue();
      if (pause) await pause;
      bytes += record?.data.length ?? 0;
      const turn = record && turnOf(record.entry);
      const excerpt = turn && excerptOf(turn.text, wanted);
      if (excerpt !== undefined) return { excerpt, bytes };
    }
    return { bytes };
  }

  /** The newest turns first. */
  async *#pages(key: OwnedKey): AsyncGenerator<Page, void, undefined> {
    const query = { channels: [conversationChannel(key)], after: BEGINNING, limit: PAGE, reverse: true };
    let upTo: Position | undefined;
    let done = false;
    while (!done) {
      const page = await this.#broker.readPage({ ...query, ...(upTo !== undefined && { upTo }) });
      yield page;
      upTo = page.next;
      done = page.done;
    }
  }
}

function summaryOf(
  { owner, id, title, agent, last, runs, running }: ConversationRecord,
  excerpt?: string,
): ConversationSummary {
  return {
    conversation_id: id,
    ...(owner !== '' && { owner }),
    title,
    ...(agent !== undefined && { agent }),
    last,
    runs,
    running,
    ...(excerpt !== undefined && { excerpt }),
  };
}

/** The first of the words with what stands around it. In a few alphabets lower case has another length: then it is cut some letters beside. */
function excerptOf(text: string, wanted: readonly string[]): string | undefined {
  const all = text.toLowerCase();
  if (!wanted.every((word) => all.includes(word))) return undefined;
  const [first = ''] = wanted;
  const at = all.indexOf(first);
  const [from, to] = [Math.max(0, at - AROUND), at + first.length + AROUND];
  const middle = text.slice(from, to).toWellFormed().replace(/\s+/g, ' ').trim();
  return `${from > 0 ? '…' : ''}${middle}${to < text.length ? '…' : ''}`;
}
