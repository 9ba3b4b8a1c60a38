// The way in which every writer writes. Entries reach the log in the order in which they were added, each at most once, also
// through an outage: one batch is under way at a time, and it is repeated unchanged until its outcome is known. If the buffer
// overflows meanwhile, the oldest entries are dropped and counted, and a notice stands in the log where they would have stood:
// `12 entries dropped by gpu-1: buffer full during an outage`.

import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES } from '../broker/broker.ts';
import { type Draft, draft } from '../entry.ts';
import { CHANNELS } from '../events.ts';
import { settledWithin } from '../settled-within.ts';
import { Delivery, type PublishTransport } from './delivery.ts';
import { DraftQueue } from './draft-queue.ts';
import { type LinkLogger, LinkState } from './link-state.ts';

export interface PublisherOptions {
  /** The writer's name, for the notice of dropped entries. */
  source: string;
  /** Bytes that may wait, without the batch under way (32 MiB). */
  maxBufferedBytes?: number;
  maxBatchEntries?: number;
  maxBatchBytes?: number;
  /** Milliseconds that a batch waits for more entries; with 0, the default, it waits until the event loop's next round. */
  lingerMs?: number;
  /** Where the notice of dropped entries goes (`logs:errors`). */
  noticeChannel?: string;
  /** Gets a line for each change of state, never for an entry or an attempt. */
  logger?: LinkLogger;
  /** Gives a number from 0 to 1, for the jitter of retries. */
  random?: () => number;
}

export interface PublisherCounters {
  /** Entries that the log has acknowledged. */
  published: number;
  /** Entries that were lost: because the buffer was full, they or their batch were refused, they were too large, or came after `close`. */
  dropped: number;
  /** Batches sent again. */
  retries: number;
  /** Entries that wait or are under way. */
  buffered: number;
}

export class Publisher {
  readonly #options: Required<Omit<PublisherOptions, 'logger'>>;
  readonly #queue: DraftQueue;
  readonly #link: LinkState;
  readonly #delivery: Delivery;
  /** The batch under way; `first` is the ordinal of its first entry. */
  #inFlight: { entries: number; first: number } | undefined;
  #running = false;
  #closing = false;
  #published = 0;
  #dropped = 0;
  /** Entries dropped from the buffer since the last notice. */
  #unannounced = 0;
  #droppedInOutage = false;
  #waiters: { upTo: number; resolve: () => void }[] = [];

  constructor(transport: PublishTransport, { logger, ...options }: PublisherOptions) {
    this.#options = {
      maxBufferedBytes: 32 * 1_048_576,
      maxBatchEntries: MAX_BATCH_ENTRIES,
      maxBatchBytes: MAX_BATCH_BYTES,
      lingerMs: 0,
      noticeChannel: CHANNELS.errors,
      random: Math.random,
      ...options,
    };
    this.#queue = new DraftQueue(this.#options.maxBufferedBytes);
    this.#link = new LinkState(logger);
    this.#delivery = new Delivery(transport, this.#link, this.#options.random);
  }

  get counters(): PublisherCounters {
    return {
      published: this.#published,
      dropped: this.#dropped,
      retries: this.#delivery.retries,
      buffered: this.#queue.length + (this.#inFlight?.entries ?? 0),
    };
  }

  /** How many of the `maxBufferedBytes` are in use. */
  get bufferedBytes(): number {
    return this.#queue.bytes;
  }

  /** Adds an entry to the buffer. Never throws, never blocks. */
  enqueue(draft: Draft): void {
    const bytes = Buffer.byteLength(draft.body);
    if (this.#closing || bytes > this.#options.maxBatchBytes) {
      this.#dropped++;
      return;
    }
    const dropped = this.#queue.enqueue(draft, bytes);
    if (dropped > 0) {
      this.#dropped += dropped;
      this.#unannounced += dropped;
      this.#droppedInOutage ||= this.#link.isLost;
    }
    if (!this.#running)
      this.#run().catch((error) => {
        // The next entry starts the loop again.
        this.#running = false;
        this.#link.unreachable(error);
      });
  }

  /** Resolves when every entry added before is acknowledged or dropped, and the notices of dropped entries are written. */
  flush(): Promise<void> {
    const upTo = this.#queue.removed + this.#queue.length;
    return new Promise((resolve) => {
      this.#waiters.push({ upTo, resolve });
      this.#settle();
    });
  }

  /** Takes no more entries, and flushes for at most `deadlineMs`. Returns how many entries are left; some may have arrived. */
  async close(deadlineMs: number): Promise<number> {
    this.#closing = true;
    this.#delivery.hurry();
    await settledWithin(this.flush(), deadlineMs);
    this.#delivery.abandon();
    return this.counters.buffered;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (!this.#delivery.abandoned && (this.#queue.length > 0 || this.#unannounced > 0)) {
      await this.#gather();
      await this.#sendNext();
      this.#settle();
    }
    this.#running = false;
  }

  #gather(): Promise<void> {
    const { lingerMs, maxBatchEntries, maxBatchBytes } = this.#options;
    const full = this.#queue.length >= maxBatchEntries || this.#queue.bytes >= maxBatchBytes;
    if (full || this.#closing) return Promise.resolve();
    return lingerMs > 0 ? this.#delivery.pause(lingerMs) : new Promise((resolve) => setImmediate(resolve));
  }

  async #sendNext(): Promise<void> {
    const first = this.#queue.removed;
    if (this.#unannounced > 0) {
      // The notice is a batch of its own, so that it is written even if the log refuses the entries after it.
      const notice = this.#notice();
      this.#unannounced = 0;
      this.#droppedInOutage = false;
      this.#inFlight = { entries: 0, first };
      await this.#delivery.send([notice], () => this.#unannounced);
    } else {
      const drafts = this.#queue.takeBatch(this.#options.maxBatchEntries, this.#options.maxBatchBytes);
      this.#inFlight = { entries: drafts.length, first };
      const { kind, taken } = await this.#delivery.send(drafts, () => this.#unannounced);
      if (kind === 'abandoned') return;
      this.#published += taken;
      this.#dropped += drafts.length - taken;
    }
    this.#inFlight = undefined;
  }

  #settle(): void {
    if (this.#waiters.length === 0 || this.#unannounced > 0) return;
    const done = this.#inFlight?.first ?? this.#queue.removed;
    this.#waiters = this.#waiters.filter(({ upTo, resolve }) => {
      if (upTo > done || (this.#inFlight && upTo === done && this.#inFlight.entries === 0)) return true;
      resolve();
      return false;
    });
  }

  #notice(): Draft {
    const { source, noticeChannel } = this.#options;
    const dropped = this.#unannounced;
    const why = this.#droppedInOutage
      ? 'buffer full during an outage'
      : 'buffer full, the broker is too slow';
    const entries = dropped === 1 ? '1 entry' : `${dropped} entries`;
    return draft({
      time: Date.now(),
      channel: noticeChannel,
      source,
      level: 'warn',
      msg: `${entries} dropped by ${source}: ${why}`,
      attrs: { dropped },
    });
  }
}
