// The one way writers write. Entries reach the log in the order in which they were added, each at most once, and through
// an outage: one unacknowledged batch at a time, repeated unchanged until its outcome is known. What does not fit the
// buffer meanwhile is dropped, oldest first, counted, and named in the log by a notice at its place.

import { randomBytes } from 'node:crypto';
import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, type WriterStamp } from './broker/broker.ts';
import { DraftQueue } from './draft-queue.ts';
import { type Draft, draft } from './entry.ts';
import { BrokerUnavailable, CodedError } from './errors.ts';
import { CHANNELS } from './events.ts';
import { type LinkLogger, LinkState } from './link-state.ts';

/** Where batches go: a Broker, or the gateway over HTTP. A failure may carry `retryAfterMs`. */
export interface PublishTransport {
  /** @throws BrokerUnavailable, or any uncoded error, where the outcome is unknown; other CodedErrors refuse the batch. */
  publish(drafts: readonly Draft[], stamp: WriterStamp): Promise<unknown>;
}

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

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** A server may ask for patience, but not silence a writer. */
const RETRY_AFTER_MAX_MS = 60_000;

export class Publisher {
  /** 128 random bits: with the batch's number, it makes a repeated batch harmless. */
  readonly writer = randomBytes(16).toString('hex');
  readonly #transport: PublishTransport;
  readonly #options: Required<Omit<PublisherOptions, 'logger'>>;
  readonly #queue: DraftQueue;
  readonly #link: LinkState;
  #seq = 0;
  /** The batch under way; `first` is the ordinal of its first entry. */
  #inFlight: { entries: number; first: number } | undefined;
  #running = false;
  #closing = false;
  #abandoned = false;
  #published = 0;
  #dropped = 0;
  #retries = 0;
  /** Dropped from the buffer since the last notice. */
  #unannounced = 0;
  #droppedInOutage = false;
  #endPause: (() => void) | undefined;
  #waiters: { upTo: number; resolve: () => void }[] = [];

  constructor(transport: PublishTransport, { logger, ...options }: PublisherOptions) {
    this.#transport = transport;
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
  }

  get counters(): PublisherCounters {
    return {
      published: this.#published,
      dropped: this.#dropped,
      retries: this.#retries,
      buffered: this.#queue.length + (this.#inFlight?.entries ?? 0),
    };
  }

  /** Bytes that wait, out of `maxBufferedBytes`. */
  get bufferedBytes(): number {
    return this.#queue.bytes;
  }

  /** Never throws, never blocks. */
  add(draft: Draft): void {
    const bytes = Buffer.byteLength(draft.body);
    if (this.#closing || bytes > this.#options.maxBatchBytes) {
      this.#dropped++;
      return;
    }
    const dropped = this.#queue.push(draft, bytes);
    if (dropped > 0) {
      this.#dropped += dropped;
      this.#unannounced += dropped;
      this.#droppedInOutage ||= this.#link.isLost;
    }
    if (!this.#running) void this.#run();
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
    this.#endPause?.();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.flush(), deadline]);
    clearTimeout(timer);
    this.#abandoned = true;
    this.#endPause?.();
    return this.counters.buffered;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (!this.#abandoned && (this.#queue.length > 0 || this.#unannounced > 0)) {
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
    return lingerMs > 0 ? this.#pause(lingerMs) : new Promise((resolve) => setImmediate(resolve));
  }

  async #sendNext(): Promise<void> {
    const first = this.#queue.removed;
    if (this.#unannounced > 0) {
      // A batch of its own: whatever the log may have against a later entry, it learns of the loss.
      const notice = this.#notice();
      this.#unannounced = 0;
      this.#droppedInOutage = false;
      this.#inFlight = { entries: 0, first };
      await this.#deliver([notice]);
    } else {
      const drafts = this.#queue.take(this.#options.maxBatchEntries, this.#options.maxBatchBytes);
      this.#inFlight = { entries: drafts.length, first };
      const outcome = await this.#deliver(drafts);
      if (outcome === 'abandoned') return;
      if (outcome === 'acknowledged') this.#published += drafts.length;
      else this.#dropped += drafts.length;
    }
    this.#inFlight = undefined;
  }

  async #deliver(drafts: readonly Draft[]): Promise<'acknowledged' | 'refused' | 'abandoned'> {
    const stamp = { writer: this.writer, seq: ++this.#seq };
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#transport.publish(drafts, stamp);
        this.#link.acknowledged(this.#unannounced);
        return 'acknowledged';
      } catch (error) {
        if (isRefusal(error)) {
          this.#link.refused(error, drafts.length, this.#unannounced);
          return 'refused';
        }
        if (this.#abandoned) return 'abandoned';
        this.#link.unreachable(error);
        await this.#pause(this.#delay(attempt, error));
        if (this.#abandoned) return 'abandoned';
        this.#retries++;
      }
    }
  }

  #delay(attempt: number, error: unknown): number {
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt, 10));
    const asked = Math.min(RETRY_AFTER_MAX_MS, retryAfter(error));
    return Math.max(asked, backoff * (0.5 + this.#options.random() / 2));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#endPause = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#endPause = end;
    });
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

function isRefusal(error: unknown): error is CodedError {
  return error instanceof CodedError && !(error instanceof BrokerUnavailable) && error.code !== 'log_full';
}

function retryAfter(error: unknown): number {
  const value = (error as { retryAfterMs?: unknown } | null)?.retryAfterMs;
  return typeof value === 'number' && value > 0 ? value : 0;
}
