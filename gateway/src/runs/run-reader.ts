// Reads one channel from a position on, first history and then live, without gaps. The reader pulls: if it is slow, its queue is
// dropped at a bound, and it continues from history.

import type { Broker, Listener, PageItem } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { readPages } from '@llm-streamer/shared/broker/read-pages.ts';

const PAGE = 200;
/** About the size of a page, which is what a reader that has stopped reading keeps in memory. */
const PAGE_BYTES = 131_072;
const MAX_QUEUED_BYTES = 1_048_576;

/** Ends when `signal` aborts. @throws BrokerUnavailable if the log cannot be reached. */
export async function* followChannel(
  broker: Broker,
  channel: string,
  after: Position,
  signal: AbortSignal,
): AsyncGenerator<PageItem, void, undefined> {
  const inbox = new Inbox(signal);
  const subscription = await broker.subscribe([channel], inbox);
  try {
    let cursor = after;
    let upTo = subscription.from;
    while (!signal.aborted) {
      for await (const item of readHistory(broker, channel, cursor, upTo)) yield item;
      cursor = Math.max(cursor, upTo);
      while (await inbox.waitForItems()) {
        const item = inbox.takeItem();
        if (!item) break;
        if (item.record) cursor = item.record.n;
        yield item;
      }
      upTo = inbox.newest; // the queue was dropped here, so history continues up to the newest entry
    }
  } finally {
    subscription.close();
  }
}

/** The channel's entries in (after, upTo], in pages. */
export async function* readHistory(
  broker: Broker,
  channel: string,
  after: Position,
  upTo: Position,
): AsyncGenerator<PageItem, void, undefined> {
  if (after >= upTo) return;
  const query = { channels: [channel], after, upTo, limit: PAGE, bytes: PAGE_BYTES };
  for await (const { items } of readPages(broker, query)) yield* items;
}

/** The queue of live items. When it is over its bound it is emptied, and `takeItem` returns undefined once. */
class Inbox implements Listener {
  newest: Position = 0;
  readonly #signal: AbortSignal;
  #items: PageItem[] = [];
  #bytes = 0;
  #overflowed = false;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  onRecord(record: Exclude<PageItem['record'], undefined>): void {
    if (record.id === null) return; // not stored, so it is not a part of the run
    this.newest = record.n;
    this.#bytes += record.data.length;
    this.#enqueue({ record });
  }

  onGap(gap: Exclude<PageItem['gap'], undefined>): void {
    this.#enqueue({ gap });
  }

  onAdvance(): void {}

  /** Resolves with true when there is something to take, and with false once the signal has aborted. */
  async waitForItems(): Promise<boolean> {
    while (!this.#signal.aborted && this.#items.length === 0 && !this.#overflowed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return !this.#signal.aborted;
  }

  takeItem(): PageItem | undefined {
    if (this.#overflowed) {
      this.#overflowed = false;
      return undefined;
    }
    const item = this.#items.shift();
    if (item?.record) this.#bytes -= item.record.data.length;
    return item;
  }

  #enqueue(item: PageItem): void {
    if (!this.#overflowed) this.#items.push(item);
    if (this.#bytes > MAX_QUEUED_BYTES) {
      this.#items = [];
      this.#bytes = 0;
      this.#overflowed = true;
    }
    this.#wake?.();
  }
}
