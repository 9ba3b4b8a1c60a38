// Foreign messages on their way into the log: heard, but not stored yet. They are decoded in the order in which they came,
// a few milliseconds at a time, so that a burst of them does not hold the event loop. Beyond a bound no more are taken.

import type { Draft } from '../../../entry.ts';
import { PublishRefused } from '../../../errors.ts';
import type { Logger } from '../../../logger.ts';
import type { PublishTransport } from '../../../publish/delivery.ts';
import { Publisher } from '../../../publish/publisher.ts';
import { settledWithin } from '../../../settled-within.ts';
import { TimeSlicer } from '../../../time-slicer.ts';
import { messageOf } from '../errors.ts';

const MAX_BYTES = 32 * 1_048_576;
/** Bytes of memory that a message takes beside its channel and data, roughly. */
const OVERHEAD_BYTES = 200;
/** Decoding pauses while the publisher has more bytes than this to send. So MAX_BYTES bounds nearly everything that waits. */
const MAX_DECODED_BYTES = 2 * 1_048_576;

export interface ForeignMessage {
  channel: string;
  data: Buffer;
}

/** All messages that were published before `time` (epoch ms, by the log's clock) stand in front of this in the queue. */
interface Mark {
  time: number;
}

export interface AdoptionQueueOptions {
  decode: (message: ForeignMessage) => Draft;
  /** Names the writer in notices of the publisher. */
  source: string;
  /** No message that was published before this time will be pushed. Epoch ms by the log's clock. */
  since: number;
  /** Called when the log has no place for the channels of so many messages; all others are stored. */
  onTurnedAway: (messages: number) => void;
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

  /** Whether messages are stored, and not only held. */
  get isStarted(): boolean {
    return this.#publisher !== undefined;
  }

  /** Each pushed message that was published before this time is in the log. Epoch ms by the log's clock. */
  get storedUpTo(): number {
    return this.#storedUpTo;
  }

  get stored(): number {
    return this.#publisher?.counters.published ?? 0;
  }

  /** Whether the log has refused messages, because the lease had ended. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Whether the queue holds messages, or the log has refused some. They are lost if nothing more can be written. */
  get isIncomplete(): boolean {
    return this.#isRefused || this.#bytes > 0 || (this.#publisher?.counters.buffered ?? 0) > 0;
  }

  /** Returns false, and drops the message, if the queue is full. */
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

  /** Begins to store the messages that are held, and those that are pushed later. */
  start(transport: PublishTransport): void {
    const { source, logger, onTurnedAway } = this.#options;
    const publish: PublishTransport['publish'] = async (drafts, stamp) => {
      try {
        return await transport.publish(drafts, stamp);
      } catch (error) {
        if (error instanceof PublishRefused) {
          this.#isRefused ||= error.code === 'lease_lost';
          const turnedAway = drafts.filter(({ channel }) => error.channels.includes(channel)).length;
          if (turnedAway > 0) onTurnedAway(turnedAway);
        }
        throw error;
      }
    };
    this.#publisher = new Publisher({ publish }, { source, ...(logger && { logger }) });
    this.#wake();
  }

  /** Takes over the messages of another queue, which was never started. */
  append(other: AdoptionQueue): void {
    for (const item of other.#waiting.splice(0)) this.#add(item);
    this.#bytes += other.#bytes;
    other.#bytes = 0;
  }

  /** Stores the rest, for `deadlineMs` at most. Returns whether every pushed message is in the log. */
  async close(deadlineMs: number): Promise<boolean> {
    const ends = performance.now() + deadlineMs;
    await settledWithin(this.#storing, deadlineMs);
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

  /** Raises `storedUpTo` to `time` when all messages in front of the mark are in the log. */
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
