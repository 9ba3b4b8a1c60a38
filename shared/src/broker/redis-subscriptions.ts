// Which Redis channels and patterns one connection listens to: each at most once, and none that a wildcard already hears.

import type { ChainableCommander } from 'ioredis';
import { isExact, matches } from '../channels.ts';
import type { Logger } from '../logger.ts';
import { messageOf, type RedisClient } from './redis-client.ts';

export class RedisSubscriptions {
  readonly #client: RedisClient;
  readonly #wirePrefix: string;
  /** Heard always, whoever listens. */
  readonly #permanent: readonly string[];
  readonly #logger: Logger | undefined;
  /** What is asked for on this connection, each with its acknowledgement. */
  readonly #active = new Map<string, Promise<unknown>>();
  /** Left, but Redis has not acknowledged it: what it sent before still comes. */
  readonly #leaving = new Set<string>();

  constructor(
    client: RedisClient,
    wirePrefix: string,
    permanent: readonly string[],
    logger: Logger | undefined,
  ) {
    this.#client = client;
    this.#wirePrefix = wirePrefix;
    this.#permanent = permanent;
    this.#logger = logger;
  }

  /** A new connection hears nothing yet. */
  reset(): void {
    this.#active.clear();
    this.#leaving.clear();
  }

  /** Begins a connection's subscriptions: the permanent ones, at the end of `first`. Returns the replies to `first`. */
  async begin(first: ChainableCommander): Promise<unknown[]> {
    const own = first.length;
    const exact = this.#permanent.filter((pattern) => isExact(pattern) && !this.#covered(pattern));
    const wildcards = this.#permanent.filter((pattern) => !isExact(pattern));
    const wire = (pattern: string) => this.#wirePrefix + pattern;
    if (exact.length > 0) first.subscribe(...exact.map(wire));
    if (wildcards.length > 0) first.psubscribe(...wildcards.map(wire));
    const sent = first.exec();
    this.#await([...exact, ...wildcards], sent);
    const replies = (await sent) ?? [];
    for (const [error] of replies) if (error) throw error;
    return replies.slice(0, own).map(([, reply]) => reply);
  }

  /** Resolves when Redis has acknowledged `patterns`, whoever asked for them first. */
  async add(patterns: readonly string[]): Promise<void> {
    const wanted = [...new Set(patterns)].filter((pattern) => !this.#covered(pattern));
    const fresh = wanted.filter((pattern) => !this.#active.has(pattern));
    const exact = fresh.filter(isExact);
    const wildcards = fresh.filter((pattern) => !isExact(pattern));
    const wire = (pattern: string) => this.#wirePrefix + pattern;
    const { redis } = this.#client;
    if (exact.length > 0) this.#await(exact, redis.subscribe(...exact.map(wire)));
    if (wildcards.length > 0) this.#await(wildcards, redis.psubscribe(...wildcards.map(wire)));
    await Promise.all(wanted.map((pattern) => this.#active.get(pattern)));
  }

  #await(patterns: readonly string[], acknowledged: Promise<unknown>): void {
    acknowledged.catch(() => {
      for (const pattern of patterns)
        if (this.#active.get(pattern) === acknowledged) this.#active.delete(pattern);
    });
    for (const pattern of patterns) this.#active.set(pattern, acknowledged);
  }

  /** Leaves all. Resolves when Redis has acknowledged that: no entry comes any more. */
  async end(): Promise<void> {
    const { redis } = this.#client;
    const active = [...this.#active.keys()];
    const exact = active.filter(isExact).map((pattern) => this.#wirePrefix + pattern);
    const wildcards = active
      .filter((pattern) => !isExact(pattern))
      .map((pattern) => this.#wirePrefix + pattern);
    this.#active.clear();
    await Promise.all([
      exact.length > 0 && redis.unsubscribe(...exact),
      wildcards.length > 0 && redis.punsubscribe(...wildcards),
    ]);
  }

  /** Leaves all that `wanted` does not want. */
  keep(wanted: (pattern: string) => boolean): void {
    for (const pattern of [...this.#active.keys()]) {
      if (this.#permanent.includes(pattern) || wanted(pattern)) continue;
      this.#active.delete(pattern);
      const { redis } = this.#client;
      const wire = this.#wirePrefix + pattern;
      const left = isExact(pattern) ? redis.unsubscribe(wire) : redis.punsubscribe(wire);
      this.#leaving.add(pattern);
      left
        .catch((error) => this.#logger?.debug(`unsubscribe: ${messageOf(error)}`))
        .finally(() => this.#leaving.delete(pattern));
    }
  }

  /** Whether exactly one subscription hears the channel, so that no message of it comes twice. */
  heardOnce(channel: string): boolean {
    let count = 0;
    for (const pattern of this.#active.keys()) if (matches(pattern, channel)) count++;
    for (const pattern of this.#leaving) if (matches(pattern, channel)) count++;
    return count === 1;
  }

  /** Of the subscriptions that hear the channel, the one whose copy counts. */
  firstToHear(channel: string): string | undefined {
    if (this.#active.has(channel)) return channel;
    for (const pattern of this.#active.keys()) if (matches(pattern, channel)) return pattern;
    return undefined;
  }

  /** A channel that a permanent wildcard hears is not subscribed again: each message would come twice. */
  #covered(pattern: string): boolean {
    return isExact(pattern) && this.#permanent.some((wide) => !isExact(wide) && matches(wide, pattern));
  }
}
