// Token buckets in Redis: one limit for an address, whichever gateway it asks.

import { loadScript, type RedisClient } from '@llm-streamer/shared/broker/redis-client.ts';
import {
  bucketOf,
  type RateLimiter,
  type RateLimitOptions,
  type RateVerdict,
  verdictOf,
} from './rate-limit.ts';

const TAKE = loadScript(new URL('./lua/take.lua', import.meta.url), 'allow-oom');

export class RedisRateLimiter implements RateLimiter {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #options: RateLimitOptions;

  constructor(client: RedisClient, namespace: string, options: RateLimitOptions) {
    this.#client = client;
    this.#prefix = `{${namespace}}:`;
    this.#options = options;
  }

  async take(address: string): Promise<RateVerdict> {
    const { burst, perSecond } = this.#options;
    try {
      const args = [bucketOf(address), burst, perSecond];
      const [allowed, tokens] = (await this.#client.script(TAKE, this.#prefix, args)) as [number, string];
      return verdictOf(this.#options, allowed === 1, Number(tokens));
    } catch (error) {
      throw this.#client.unavailable(error);
    }
  }
}
