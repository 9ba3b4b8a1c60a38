// Reads one channel from a position on, history and then live, gapless: the reader pulls, so a slow one holds a bounded
// queue and falls back to history.

import type { Broker, Listener, PageItem } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { readPages } from '@llm-streamer/shared/broker/read-pages.ts';

const PAGE = 200;
/** A reader that does not take what it has asked for holds about so many, and no more. */
const PAGE_BYTES = 131_072;
const MAX_QUEUED_BYTES = 1_048_576;

/** Ends when `signal` aborts. @throws BrokerUnavailable when the log cannot be reached. */
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
      upTo = inbox.newest;
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

/** What has come and was not taken yet; over its bound it is emptied, and `take` gives nothing once. */
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
    if (record.id === null) return; // shown live elsewhere, but no part of a run
    this.newest = record.n;
    this.#bytes += record.data.length;
    this.#push({ record });
  }

  onGap(gap: Exclude<PageItem['gap'], undefined>): void {
    this.#push({ gap });
  }

  onAdvance(): void {}

  /** False once the signal aborted. */
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

  #push(item: PageItem): void {
    if (!this.#overflowed) this.#items.push(item);
    if (this.#bytes > MAX_QUEUED_BYTES) {
      this.#items = [];
      this.#bytes = 0;
      this.#overflowed = true;
    }
    this.#wake?.();
  }
}
