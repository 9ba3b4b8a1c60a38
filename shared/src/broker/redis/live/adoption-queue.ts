// Foreign messages on their way into the log: heard, but not stored yet. They are decoded in the order in which they came,
// a few milliseconds at a time, so that a burst of them does not hold the event loop. Beyond a bound no more are taken.

import type { Draft } from '../../../entry.ts';
import { PublishRefused } from '../../../errors.ts';
import type { Logger } from '../../../logger.ts';
import type { PublishTransport } from '../../../publish/delivery.ts';
import { Publisher } from '../../../publish/publisher.ts';
import { TimeSlicer } from '../../../time-slicer.ts';
import { messageOf } from '../errors.ts';

const MAX_BYTES = 32 * 1_048_576;
/** What a message costs beside its data. */
const OVERHEAD_BYTES = 200;
/** Decoding waits while the publisher has more than this to send, so that nearly all that waits counts for the bound here. */
const MAX_DECODED_BYTES = 2 * 1_048_576;

export interface ForeignMessage {
  channel: string;
  data: Buffer;
}

/** Everything that was published before `time` (epoch ms, by the log's clock) stands before this in the queue. */
interface Mark {
  time: number;
}

export interface AdoptionQueueOptions {
  decode: (message: ForeignMessage) => Draft;
  /** Names the writer in notices of the publisher. */
  source: string;
  /** Nothing published before this time is still to come into the queue, epoch ms by the log's clock. */
  since: number;
  logger: Logger | undefined;
}

export class AdoptionQueue {
  readonly #options: AdoptionQueueOptions;
  readonly #slicer = new TimeSlicer();
  #waiting: (ForeignMessage | Mark)[] = [];
  #bytes = 0;
  #publisher: Publisher | undefined;
  #storing: Promise<void> = Promise.resolve();
  #isStoring = false;
  #isClosed = false;
  #isRefused = false;
  #storedUpTo: number;

  constructor(options: AdoptionQueueOptions) {
    this.#options = options;
    this.#storedUpTo = options.since;
  }

  /** Whether what comes is stored, and not only kept. */
  get isStarted(): boolean {
    return this.#publisher !== undefined;
  }

  /** What was published before this time is in the log, as far as it was pushed. */
  get storedUpTo(): number {
    return this.#storedUpTo;
  }

  get stored(): number {
    return this.#publisher?.counters.published ?? 0;
  }

  /** The log has not taken something: the lease is not this process's any more. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Whether messages are here that are not in the log, and some that never will be if no more can be written. */
  get isIncomplete(): boolean {
    return this.#isRefused || this.#bytes > 0 || (this.#publisher?.counters.buffered ?? 0) > 0;
  }

  /** False for a message that does not fit any more. */
  push(message: ForeignMessage): boolean {
    const bytes = sizeOf(message);
    if (this.#bytes + bytes > MAX_BYTES) return false;
    this.#bytes += bytes;
    this.#add(message);
    return true;
  }

  mark(time: number): void {
    this.#add({ time });
  }

  /** Begins to store what is here and what is yet to come. */
  start(transport: PublishTransport): void {
    const { source, logger } = this.#options;
    const publish: PublishTransport['publish'] = async (drafts, stamp) => {
      try {
        return await transport.publish(drafts, stamp);
      } catch (error) {
        this.#isRefused ||= error instanceof PublishRefused && error.code === 'lease_lost';
        throw error;
      }
    };
    this.#publisher = new Publisher({ publish }, { source, ...(logger && { logger }) });
    this.#wake();
  }

  /** Adds what another queue holds that was never started. */
  append(other: AdoptionQueue): void {
    for (const item of other.#waiting.splice(0)) this.#add(item);
    this.#bytes += other.#bytes;
    other.#bytes = 0;
  }

  /** Takes `deadlineMs` at most to store what is here. Returns whether all of it is in the log. */
  async close(deadlineMs: number): Promise<boolean> {
    const ends = performance.now() + deadlineMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.#storing, late]);
    clearTimeout(timer);
    await this.#publisher?.close(Math.max(0, ends - performance.now()));
    this.#isClosed = true;
    return !this.isIncomplete;
  }

  #add(item: ForeignMessage | Mark): void {
    this.#waiting.push(item);
    this.#wake();
  }

  #wake(): void {
    if (this.#isStoring || this.#publisher === undefined) return;
    this.#isStoring = true;
    this.#storing = this.#store(this.#publisher).catch((error) =>
      this.#options.logger?.error(`adopting stopped: ${messageOf(error)}`),
    );
  }

  async #store(publisher: Publisher): Promise<void> {
    while (this.#waiting.length > 0) {
      // Reversed, so that each item can be freed as soon as it is taken from the end.
      const items = this.#waiting.reverse();
      this.#waiting = [];
      for (let item = items.pop(); item !== undefined; item = items.pop()) {
        const pause = this.#slicer.pauseIfDue();
        if (pause) await pause;
        if (this.#isClosed) return;
        if ('time' in item) {
          this.#noteStored(publisher, item.time);
          continue;
        }
        this.#bytes -= sizeOf(item);
        publisher.enqueue(this.#options.decode(item));
        if (publisher.bufferedBytes > MAX_DECODED_BYTES) await publisher.flush();
      }
    }
    this.#isStoring = false;
  }

  /** Once all that stood before the mark is in the log. */
  #noteStored(publisher: Publisher, time: number): void {
    publisher
      .flush()
      .then(() => {
        if (!this.#isRefused) this.#storedUpTo = Math.max(this.#storedUpTo, time);
      })
      .catch((error) => this.#options.logger?.error(`adopting: ${messageOf(error)}`));
  }
}

function sizeOf({ channel, data }: ForeignMessage): number {
  return channel.length + data.length + OVERHEAD_BYTES;
}
