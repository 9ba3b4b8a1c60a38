// Slows down those who guess passwords and credentials. What is refused is always an address, or a name together with an address:
// whoever types another's name wrong a thousand times makes him wait a moment, and never locks him out.

import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
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
import { HttpError } from '../http/errors.ts';

/** Ten at once, then one every ten seconds on average; and so on for the others. */
const BUCKETS = {
  address: { points: 10, duration: 100 },
  pair: { points: 5, duration: 150 },
  name: { points: 60, duration: 600 },
} as const;
type Bucket = keyof typeof BUCKETS;

/** How long an attempt waits where its name was tried too often, from whatever addresses. */
const DELAY_MS = 2_000;
/** Attempts that may wait at a time; further ones of names that are tried too often are refused. */
const MAX_DELAYED = 100;
/** The most clients that a process counts in each bucket; with one more, the one that came first is forgotten. */
const MAX_COUNTED = 50_000;

/** Counts attempts. @throws BrokerUnavailable if it cannot */
export interface AttemptCounter {
  /** Resolves with the milliseconds until there may be another attempt; with 0 if this one is allowed. */
  count(bucket: Bucket, key: string): Promise<number>;
  /** Takes one attempt back. */
  uncount(bucket: Bucket, key: string): Promise<void>;
  forget(bucket: Bucket, key: string): Promise<void>;
}

export class Throttle {
  readonly #counter: AttemptCounter;
  readonly #delayMs: number;
  #delayed = 0;

  constructor(counter: AttemptCounter, delayMs: number = DELAY_MS) {
    this.#counter = counter;
    this.#delayMs = delayMs;
  }

  /** Counts an attempt to sign in, before a password is looked at. @throws HttpError `too_many_attempts`; BrokerUnavailable */
  async attempt(name: string, address: string): Promise<void> {
    await this.failed(address);
    await this.#orRefuse('pair', pairOf(name, address));
    if ((await this.#counter.count('name', digest(name))) === 0) return;
    if (this.#delayed >= MAX_DELAYED) throw tooMany(this.#delayMs);
    this.#delayed++;
    await pause(this.#delayMs).finally(() => this.#delayed--);
  }

  /** The attempt was good: whoever knows his password is not held up by those who share his address. */
  async succeeded(name: string, address: string): Promise<void> {
    await this.#counter.uncount('address', clientOf(address));
    await this.#counter.forget('pair', pairOf(name, address));
  }

  /**
   * Counts a credential from this address that was not valid, such as an unknown key. Valid ones are never counted or refused.
   * @throws HttpError `too_many_attempts`; BrokerUnavailable
   */
  async failed(address: string): Promise<void> {
    await this.#orRefuse('address', clientOf(address));
  }

  async #orRefuse(bucket: Bucket, key: string): Promise<void> {
    const waitMs = await this.#counter.count(bucket, key);
    if (waitMs > 0) throw tooMany(waitMs);
  }
}

export function tooMany(waitMs: number): HttpError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
  return new HttpError('too_many_attempts', `too many attempts; try again in ${seconds} s`, {
    headers: { 'retry-after': `${seconds}` },
  });
}

/** People type passwords into the field of the name, so no name as it was typed becomes a key in Redis. */
function digest(name: string): string {
  return createHash('sha256').update(name).digest('base64url').slice(0, 22);
}

function pairOf(name: string, address: string): string {
  return `${digest(name)}:${clientOf(address)}`;
}

/** For a gateway that is one process. */
export class MemoryAttempts implements AttemptCounter {
  readonly #limiters = limiters((options) => new RateLimiterMemory(options));
  /** The library does not bound the number of keys: an attacker with many addresses could fill the memory. */
  readonly #keys = { address: new Set<string>(), pair: new Set<string>(), name: new Set<string>() };

  async count(bucket: Bucket, key: string): Promise<number> {
    const keys = this.#keys[bucket];
    keys.add(key);
    if (keys.size > MAX_COUNTED) {
      const [first] = keys as Iterable<string> as [string];
      keys.delete(first);
      await this.#limiters[bucket].delete(first);
    }
    return consume(this.#limiters[bucket], key);
  }

  async uncount(bucket: Bucket, key: string): Promise<void> {
    await this.#limiters[bucket].reward(key);
  }

  async forget(bucket: Bucket, key: string): Promise<void> {
    this.#keys[bucket].delete(key);
    await this.#limiters[bucket].delete(key);
  }
}

/** For all gateways of a namespace together. A client that is refused is not counted in Redis again until it may try again. */
export class RedisAttempts implements AttemptCounter {
  readonly #client: RedisClient;
  readonly #limiters: Record<Bucket, RateLimiterAbstract>;

  constructor(client: RedisClient, namespace: string) {
    this.#client = client;
    this.#limiters = limiters(
      ({ points, duration }, bucket) =>
        new RateLimiterRedis({
          storeClient: client.redis,
          keyPrefix: new RedisKeys(namespace).signInLimits(bucket),
          points,
          duration,
          inMemoryBlockOnConsumed: points + 1,
        }),
    );
  }

  count(bucket: Bucket, key: string): Promise<number> {
    return this.#reach(() => consume(this.#limiters[bucket], key));
  }

  async uncount(bucket: Bucket, key: string): Promise<void> {
    await this.#reach(() => this.#limiters[bucket].reward(key));
  }

  async forget(bucket: Bucket, key: string): Promise<void> {
    await this.#reach(() => this.#limiters[bucket].delete(key));
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

function limiters<T>(make: (options: { points: number; duration: number }, bucket: Bucket) => T) {
  return {
    address: make(BUCKETS.address, 'address'),
    pair: make(BUCKETS.pair, 'pair'),
    name: make(BUCKETS.name, 'name'),
  };
}

/** The library rejects with its verdict if the limit is reached, and with an error if it could not count. */
async function consume(limiter: RateLimiterAbstract, key: string): Promise<number> {
  try {
    await limiter.consume(key);
    return 0;
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext);
    throw refusal;
  }
}
