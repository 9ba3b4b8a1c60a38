// Slows down those who guess passwords and credentials, or make sessions and keys without end. What is refused is always an address, a
// name together with an address, or whoever has signed in himself: whoever types another's name wrong a thousand times makes him wait a
// moment, and never locks him out.

import { hash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { toPublishError } from '@llm-streamer/shared/broker/redis/append.ts';
import type { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import {
  BurstyRateLimiter,
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { clientOf } from '../client-of.ts';
import type { Principal } from './principal.ts';

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
type Limit = keyof typeof LIMITS;

/** How long an attempt waits where its name was tried too often, from whatever addresses. */
const DELAY_MS = 2_000;
/** Attempts of one client, and clients with attempts, that may wait at a time; further ones of names that are tried too often are refused. */
const MAX_DELAYED_OF_CLIENT = 2;
const MAX_DELAYED = 10_000;
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

export class Throttle {
  readonly #counter: AttemptCounter;
  readonly #delayMs: number;
  /** Attempts that wait, by client. */
  readonly #delayed = new Map<string, number>();

  constructor(counter: AttemptCounter, delayMs: number = DELAY_MS) {
    this.#counter = counter;
    this.#delayMs = delayMs;
  }

  /** Counts an attempt to sign in, before a password is looked at. @throws TooManyAttempts; BrokerUnavailable */
  async attempt(name: string, address: string): Promise<void> {
    await this.countAddress(address);
    await this.#orRefuse('pair', pairOf(name, address));
    if ((await this.#counter.count('name', digest(name))) === 0) return;
    const client = clientOf(address);
    const own = this.#delayed.get(client) ?? 0;
    if (own >= MAX_DELAYED_OF_CLIENT || this.#delayed.size >= MAX_DELAYED)
      throw new TooManyAttempts(this.#delayMs);
    this.#delayed.set(client, own + 1);
    try {
      await pause(this.#delayMs);
    } finally {
      const left = (this.#delayed.get(client) ?? 1) - 1;
      if (left > 0) this.#delayed.set(client, left);
      else this.#delayed.delete(client);
    }
  }

  /** The attempt was good: whoever knows his password is not held up by those who share his address. */
  async succeeded(name: string, address: string): Promise<void> {
    await this.#counter.uncount('address', clientOf(address));
    await this.#counter.forget('pair', pairOf(name, address));
  }

  /** Counts another attempt to come in from this address, such as to sign up. @throws as `attempt` */
  async countAddress(address: string): Promise<void> {
    await this.#orRefuse('address', clientOf(address));
  }

  /** Counts a key or token from this address that was not valid. Valid ones are never counted or refused. @throws as `attempt` */
  async countCredential(address: string): Promise<void> {
    await this.#orRefuse('credential', clientOf(address));
  }

  /**
   * Counts a session, a password or a key that a principal makes. Each is a change of rights, which every gateway looks at; without a
   * limit one viewer could keep all of them busy. @throws as `attempt`
   */
  async countWrite({ id }: Pick<Principal, 'id'>): Promise<void> {
    await this.#orRefuse('write', id);
  }

  async #orRefuse(limit: Limit, key: string): Promise<void> {
    const waitMs = await this.#counter.count(limit, key);
    if (waitMs > 0) throw new TooManyAttempts(waitMs);
  }
}

export class TooManyAttempts extends CodedError {
  readonly retryAfterSeconds: number;

  constructor(waitMs: number) {
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
    super('too_many_attempts', `too many attempts; try again in ${seconds} s`);
    this.name = 'TooManyAttempts';
    this.retryAfterSeconds = seconds;
  }
}

/** People type passwords into the field of the name, so no name as it was typed becomes a key in Redis. */
function digest(name: string): string {
  return hash('sha256', name, 'base64url').slice(0, 22);
}

function pairOf(name: string, address: string): string {
  return `${digest(name)}:${clientOf(address)}`;
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
