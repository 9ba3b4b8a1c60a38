// The one way writers write. Entries reach the log in the order in which they were added, each at most once, and through
// an outage: one unacknowledged batch at a time, repeated unchanged until its outcome is known. What does not fit the
// buffer meanwhile is dropped, oldest first, counted, and named in the log by a notice at its place.

import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES } from '../broker/broker.ts';
import { type Draft, draft } from '../entry.ts';
import { CHANNELS } from '../events.ts';
import { Delivery, type PublishTransport } from './delivery.ts';
import { DraftQueue } from './draft-queue.ts';
import { type LinkLogger, LinkState } from './link-state.ts';

export interface PublisherOptions {
  /** Names the writer in the notice of dropped entries. */
  source: string;
  /** Bytes that may wait, the batch under way not counted (32 MiB). */
  maxBufferedBytes?: number;
  maxBatchEntries?: number;
  maxBatchBytes?: number;
  /** Milliseconds that a batch waits to fill up; 0, the default, is the next turn of the event loop. */
  lingerMs?: number;
  /** Where the notice of dropped entries goes (`logs:errors`). */
  noticeChannel?: string;
  /** Told of changes of state only, never of an entry or an attempt. */
  logger?: LinkLogger;
  /** 0 to 1, for the jitter of retries. */
  random?: () => number;
}

export interface PublisherCounters {
  /** Entries the log has acknowledged. */
  published: number;
  /** Entries given up: buffer full, batch refused, too large, or added after `close`. */
  dropped: number;
  /** Batches sent again. */
  retries: number;
  /** Entries waiting or under way. */
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
  /** Dropped from the buffer since the last notice. */
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

  /** Bytes that wait, out of `maxBufferedBytes`. */
  get bufferedBytes(): number {
    return this.#queue.bytes;
  }

  /** Never throws, never blocks. */
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
        // The next entry begins anew.
        this.#running = false;
        this.#link.unreachable(error);
      });
  }

  /** Resolves when what was added before is acknowledged or dropped, and drops are announced. */
  flush(): Promise<void> {
    const upTo = this.#queue.removed + this.#queue.length;
    return new Promise((resolve) => {
      this.#waiters.push({ upTo, resolve });
      this.#settle();
    });
  }

  /** Takes no more entries and flushes for at most `deadlineMs`. Returns how many entries are left, their fate unknown. */
  async close(deadlineMs: number): Promise<number> {
    this.#closing = true;
    this.#delivery.hurry();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.flush(), deadline]);
    clearTimeout(timer);
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
      // A batch of its own: whatever the log may have against a later entry, it learns of the loss.
      const notice = this.#notice();
      this.#unannounced = 0;
      this.#droppedInOutage = false;
      this.#inFlight = { entries: 0, first };
      await this.#delivery.send([notice], () => this.#unannounced);
    } else {
      const drafts = this.#queue.takeBatch(this.#options.maxBatchEntries, this.#options.maxBatchBytes);
      this.#inFlight = { entries: drafts.length, first };
      const outcome = await this.#delivery.send(drafts, () => this.#unannounced);
      if (outcome === 'abandoned') return;
      if (outcome === 'acknowledged') this.#published += drafts.length;
      else this.#dropped += drafts.length;
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
