// A writer that numbers its entries on each channel, and remembers which ones the log has acknowledged.

import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';

export interface Acknowledged {
  channel: string;
  k: number;
  /** The position in the log; null if the batch was repeated and the first attempt turned out to have succeeded. */
  n: number | null;
}

export class RecordingWriter {
  readonly acknowledged: Acknowledged[] = [];
  readonly publisher: Publisher;
  readonly #broker: RedisBroker;
  readonly #channels: readonly string[];
  readonly #next = new Map<string, number>();
  #written = 0;

  constructor(url: string, namespace: string, channels: readonly string[]) {
    this.#channels = channels;
    const retention = { ...DEFAULT_RETENTION, default: { entries: 1_000_000, idleMs: 3_600_000 } };
    this.#broker = new RedisBroker({ url, namespace, retention });
    this.publisher = new Publisher(
      {
        publish: async (drafts, stamp) => {
          const ids = await this.#broker.publish(drafts, stamp);
          drafts.forEach(({ channel, body }, i) => {
            const k = Number(JSON.parse(body).msg.split(' ')[0]);
            const id = ids[i];
            this.acknowledged.push({ channel, k, n: id ? Number(id.split('-')[1]) : null });
          });
        },
      },
      { source: 'writer' },
    );
  }

  get written(): number {
    return this.#written;
  }

  /** Writes `count` entries of about `bytes`, spread over its channels. */
  write(count: number, bytes = 80): void {
    for (let i = 0; i < count; i++) {
      const channel = this.#channels[this.#written++ % this.#channels.length] as string;
      const k = (this.#next.get(channel) ?? 0) + 1;
      this.#next.set(channel, k);
      const msg = `${k} ${'x'.repeat(bytes)}`;
      this.publisher.enqueue(draft({ time: Date.now(), channel, source: 'writer', level: 'info', msg }));
    }
  }

  async close(): Promise<void> {
    await this.publisher.close(20_000);
    await this.#broker.close();
  }
}
