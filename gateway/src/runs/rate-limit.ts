// Limits how often one client may start runs: a number of runs in a window of time, counted in this process, or in Redis for all
// gateways together. rate-limiter-flexible does the counting; this file says what the window is and what counts as one client.

import { toPublishError } from '@llm-streamer/shared/broker/redis/append.ts';
import type { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { clientOf } from '../client-of.ts';

export interface RateLimitOptions {
  /** Runs that a client may start at once. */
  burst: number;
  /** Runs per second after that; 0 turns the limit off. */
  perSecond: number;
}

/** At most `runs` in `seconds`. */
export interface RateWindow {
  runs: number;
  seconds: number;
}

export interface RateVerdict {
  allowed: boolean;
  /** Runs left in this window. */
  remaining: number;
  /** Milliseconds until the next window. */
  resetMs: number;
}

/** A timer of Node that is set to more than 2^31 ms fires at once, so a longer window would be no limit at all. */
const MAX_WINDOW_S = 24 * 86_400;

/**
 * The window with the same mean rate: 3 at once and 1 per second are 3 in 3 seconds. Redis expires keys after whole
 * seconds, so that a window lasts at least one: 1 at once and 20 per second are 20 in 1 second.
 */
export function windowOf({ burst, perSecond }: RateLimitOptions): RateWindow {
  const seconds = Math.min(MAX_WINDOW_S, Math.max(1, Math.ceil(burst / perSecond)));
  return { runs: Math.max(burst, Math.floor(perSecond * seconds)), seconds };
}

export interface RateLimiter {
  readonly window: RateWindow;
  /** Counts one run of the client at `address`. @throws BrokerUnavailable, or PublishRefused where Redis is full */
  consume(address: string): Promise<RateVerdict>;
}

/** The most clients that a process counts. With one more, the one that came first is forgotten, and its window begins anew. */
const MAX_CLIENTS = 50_000;

export class MemoryRateLimiter implements RateLimiter {
  readonly window: RateWindow;
  readonly #limiter: RateLimiterMemory;
  /** The library does not bound the number of clients: an attacker with many addresses could fill the memory. */
  readonly #clients = new Set<string>();

  constructor(options: RateLimitOptions) {
    this.window = windowOf(options);
    this.#limiter = new RateLimiterMemory({ points: this.window.runs, duration: this.window.seconds });
  }

  async consume(address: string): Promise<RateVerdict> {
    const client = clientOf(address);
    this.#clients.add(client);
    if (this.#clients.size > MAX_CLIENTS) {
      const [first] = this.#clients as Iterable<string> as [string];
      this.#clients.delete(first);
      await this.#limiter.delete(first);
    }
    return consume(this.#limiter, client);
  }
}

/** While Redis is away no run is admitted. It could not begin anyway, because its record is in Redis, too. */
export class RedisRateLimiter implements RateLimiter {
  readonly window: RateWindow;
  readonly #client: RedisClient;
  readonly #limiter: RateLimiterRedis;

  constructor(client: RedisClient, namespace: string, options: RateLimitOptions) {
    this.#client = client;
    this.window = windowOf(options);
    this.#limiter = new RateLimiterRedis({
      storeClient: client.redis,
      keyPrefix: new RedisKeys(namespace).runLimits,
      points: this.window.runs,
      duration: this.window.seconds,
    });
  }

  async consume(address: string): Promise<RateVerdict> {
    try {
      await this.#client.runId(); // connects, if the client has not connected yet
      return await consume(this.#limiter, clientOf(address));
    } catch (error) {
      throw toPublishError(error, this.#client);
    }
  }
}

/** The library rejects with its verdict if the limit is reached, and with an error if it could not count. */
async function consume(limiter: RateLimiterAbstract, client: string): Promise<RateVerdict> {
  const [allowed, result] = await limiter.consume(client).then(
    (result) => [true, result] as const,
    (refusal: unknown) => {
      if (refusal instanceof RateLimiterRes) return [false, refusal] as const;
      throw refusal;
    },
  );
  return { allowed, remaining: result.remainingPoints, resetMs: result.msBeforeNext };
}
