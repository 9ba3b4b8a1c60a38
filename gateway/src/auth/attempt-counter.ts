// Counts attempts to sign in, credentials that are not valid, and what principals make, and says how long to wait: in memory for a
// gateway that is one process, in Redis for all gateways of a namespace together.

import { toPublishError } from '@llm-streamer/shared/broker/redis/append.ts';
import type { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import {
  BurstyRateLimiter,
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';

/**
 * From one address ten attempts at once, and then one every ten seconds, however many came before; and so on for the others. What
 * cannot be guessed, such as keys, has a limit of its own: a program with an old key keeps nobody at its address from signing in.
 */
const LIMITS = {
  address: { atOnce: 10, everySeconds: 10 },
  pair: { atOnce: 5, everySeconds: 30 },
  name: { atOnce: 60, everySeconds: 10 },
  credential: { atOnce: 10, everySeconds: 10 },
  write: { atOnce: 10, everySeconds: 6 },
} as const;
export type Limit = keyof typeof LIMITS;

/** The most clients that a process counts for each limit; with one more, the one that came first is forgotten. */
const MAX_COUNTED = 50_000;

/** Counts attempts. @throws BrokerUnavailable if it cannot */
export interface AttemptCounter {
  /** Resolves with the milliseconds until there may be another attempt; with 0 if this one is allowed. */
  count(limit: Limit, key: string): Promise<number>;
  /** Takes one attempt back. */
  uncount(limit: Limit, key: string): Promise<void>;
  forget(limit: Limit, key: string): Promise<void>;
}

/** For a gateway that is one process. */
export class MemoryAttempts implements AttemptCounter {
  readonly #buckets = buckets((_name, options) => new RateLimiterMemory(options));
  /** The library does not bound the number of keys: an attacker with many addresses could fill the memory. */
  readonly #keys = eachLimit(() => new Set<string>());

  async count(limit: Limit, key: string): Promise<number> {
    const keys = this.#keys[limit];
    keys.add(key);
    if (keys.size > MAX_COUNTED) {
      const [first] = keys as Iterable<string> as [string];
      await this.forget(limit, first);
    }
    return this.#buckets[limit].count(key);
  }

  uncount(limit: Limit, key: string): Promise<void> {
    return this.#buckets[limit].uncount(key);
  }

  async forget(limit: Limit, key: string): Promise<void> {
    this.#keys[limit].delete(key);
    await this.#buckets[limit].forget(key);
  }
}

/** For all gateways of a namespace together. A client that is refused is not counted in Redis again until it may try again. */
export class RedisAttempts implements AttemptCounter {
  readonly #client: RedisClient;
  readonly #buckets: Record<Limit, Bucket>;

  constructor(client: RedisClient, namespace: string) {
    this.#client = client;
    const keys = new RedisKeys(namespace);
    this.#buckets = buckets(
      (name, options) =>
        new RateLimiterRedis({
          ...options,
          storeClient: client.redis,
          keyPrefix: keys.signInLimits(name),
          inMemoryBlockOnConsumed: options.points + 1,
        }),
    );
  }

  count(limit: Limit, key: string): Promise<number> {
    return this.#reach(() => this.#buckets[limit].count(key));
  }

  uncount(limit: Limit, key: string): Promise<void> {
    return this.#reach(() => this.#buckets[limit].uncount(key));
  }

  forget(limit: Limit, key: string): Promise<void> {
    return this.#reach(() => this.#buckets[limit].forget(key));
  }

  async #reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      await this.#client.runId(); // connects, if the client has not connected yet
      return await work();
    } catch (error) {
      throw toPublishError(error, this.#client);
    }
  }
}

/** One attempt in each period, and beside that some at once, which come back together. */
class Bucket {
  readonly #steady: RateLimiterAbstract;
  readonly #burst: RateLimiterAbstract;
  readonly #both: BurstyRateLimiter;

  constructor(steady: RateLimiterAbstract, burst: RateLimiterAbstract) {
    this.#steady = steady;
    this.#burst = burst;
    this.#both = new BurstyRateLimiter(steady, burst);
  }

  /** The library rejects with its verdict if the limit is reached, and with an error if it could not count. */
  async count(key: string): Promise<number> {
    try {
      await this.#both.consume(key);
      return 0;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext);
      throw refusal;
    }
  }

  async uncount(key: string): Promise<void> {
    const counted = (await this.#burst.get(key))?.consumedPoints ?? 0;
    if (counted > 0) await this.#burst.reward(key);
    else await this.#steady.delete(key);
  }

  async forget(key: string): Promise<void> {
    await this.#steady.delete(key);
    await this.#burst.delete(key);
  }
}

function buckets(
  make: (name: string, options: { points: number; duration: number }) => RateLimiterAbstract,
): Record<Limit, Bucket> {
  return eachLimit((limit) => {
    const { atOnce, everySeconds } = LIMITS[limit];
    const steady = make(limit, { points: 1, duration: everySeconds });
    return new Bucket(
      steady,
      make(`${limit}:burst`, { points: atOnce - 1, duration: atOnce * everySeconds }),
    );
  });
}

function eachLimit<T>(make: (limit: Limit) => T): Record<Limit, T> {
  return {
    address: make('address'),
    pair: make('pair'),
    name: make('name'),
    credential: make('credential'),
    write: make('write'),
  };
}
