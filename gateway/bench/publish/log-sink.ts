// Writes through the product's own broker: batches by append.lua, with ids, history and the check for repeats. Several batches are
// under way at a time.

import { randomBytes } from 'node:crypto';
import { MAX_BATCH_BYTES } from '@llm-streamer/shared/broker/broker.ts';
import { type Position, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { nowMicroseconds } from '../entry-text.ts';
import type { Item, Sink } from './sink.ts';

const BATCH_ENTRIES = 100;
const MAX_BATCHES_UNDER_WAY = 4;

export class LogSink implements Sink {
  /** The newest entry that the log has acknowledged. */
  last: Position = 0;
  readonly #broker: RedisBroker;
  readonly #writer = randomBytes(16).toString('hex');
  #seq = 0;
  #acknowledged = 0;
  /**
   * How many batches are under way. Not a Set of promises: its old tables would keep them, and all that they hold, alive over
   * garbage collections (RESULTS.md, "the bench's own publisher").
   */
  #unacknowledged = 0;
  #waiting: (() => void)[] = [];
  #failed: unknown;

  private constructor(broker: RedisBroker) {
    this.#broker = broker;
  }

  static async open(url: string, plainChannels: boolean): Promise<LogSink> {
    const broker = new RedisBroker({ url, plainChannels });
    await broker.open(5_000);
    return new LogSink(broker);
  }

  room(): number {
    if (this.#failed) throw this.#failed;
    return (MAX_BATCHES_UNDER_WAY - this.#unacknowledged) * BATCH_ENTRIES;
  }

  send(items: readonly Item[]): void {
    const [stamp, time] = [nowMicroseconds(), Date.now()];
    const drafts = items.map(({ text, number }) => ({
      channel: text.lane.channel,
      body: text.body(time, stamp, number),
    }));
    const size = drafts[0]?.body.length ?? 1;
    const perBatch = Math.min(BATCH_ENTRIES, Math.floor(MAX_BATCH_BYTES / size));
    for (let at = 0; at < drafts.length; at += perBatch) {
      const batch = drafts.slice(at, at + perBatch);
      this.#unacknowledged++;
      this.#broker
        .publish(batch, { writer: this.#writer, seq: ++this.#seq })
        .then((ids) => {
          this.#acknowledged += ids.length;
          this.last = Math.max(this.last, parsePosition(ids.at(-1) ?? '') ?? 0);
        })
        .finally(() => {
          this.#unacknowledged--;
          for (const wake of this.#waiting.splice(0)) wake();
        })
        .catch((error) => {
          this.#failed ??= error;
        });
    }
  }

  async flushed(): Promise<number> {
    while (this.#unacknowledged > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#failed) throw this.#failed;
    return this.#acknowledged;
  }

  async close(): Promise<void> {
    await this.#broker.close();
  }
}
