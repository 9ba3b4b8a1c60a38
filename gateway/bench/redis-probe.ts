// What Redis says of the product's connections and subscriptions.

import { Redis } from 'ioredis';

export class RedisProbe {
  readonly #redis: Redis;

  constructor(url: string) {
    this.#redis = new Redis(url);
  }

  /** Connections that carry the product's name. */
  async connections(): Promise<number> {
    return String(await this.#redis.call('CLIENT', 'LIST')).split('llm-streamer-').length - 1;
  }

  /** Channels with a subscriber that match the pattern. */
  async subscribed(pattern: string): Promise<number> {
    return (await this.#redis.pubsub('CHANNELS', pattern)).length;
  }

  close(): void {
    this.#redis.disconnect();
  }
}
