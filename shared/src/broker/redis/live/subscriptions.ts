// The channels and patterns that one connection subscribes to. Each is subscribed once, however many listeners it has. They stay for
// a moment after the last listener has left. Each has two names in Redis (see keys.ts), the first of which is a partition or all of
// them in a Cluster: announcements are subscribed before the plain name and left after it, so that no echo comes without its
// announcement.

import type { ChainableCommander } from 'ioredis';
import { isExact, isReserved, matches } from '../../../channels.ts';
import { ChannelsForbidden } from '../../../errors.ts';
import type { Logger } from '../../../logger.ts';
import { PatternSet } from '../../pattern-set.ts';
import { messageOf, type RedisClient } from '../client.ts';
import { isForbidden } from '../errors.ts';
import type { RedisKeys } from '../keys.ts';
import { Partitions } from './partitions.ts';

/** A pattern stays subscribed this long after its last listener, so that a reload of a page costs no new subscription. */
const LINGER_MS = 1_000;
/** More patterns than this do not linger: Redis compares each message with each of them. */
const MAX_LINGERING = 1_000;

export class RedisSubscriptions {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  /** Patterns that stay subscribed, with listeners or without. */
  readonly #permanent: readonly string[];
  readonly #logger: Logger | undefined;
  /** Where the log announces if it is in a Cluster. */
  readonly #partitions: Partitions;
  /** Patterns that are subscribed on this connection, each with the acknowledgement of Redis. */
  readonly #active = new Map<string, Promise<unknown>>();
  /** These, and those that were left, until Redis has acknowledged that: foreign messages that it sent before still come. */
  readonly #heard = new PatternSet();
  /** Patterns that listeners have left since the last look for unwanted ones. */
  #lingering = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    client: RedisClient,
    keys: RedisKeys,
    permanent: readonly string[],
    logger: Logger | undefined,
  ) {
    this.#client = client;
    this.#keys = keys;
    this.#permanent = permanent;
    this.#logger = logger;
    this.#partitions = new Partitions(client, keys);
  }

  /** The connection is new, and subscribes to nothing yet. */
  reset(): void {
    this.#active.clear();
    this.#heard.clear();
    this.#partitions.reset();
  }

  /**
   * Adds the first subscriptions of a connection to `first`, a pipeline of one command, and sends it: the channels of its own ticks and of
   * news, and the permanent patterns. Returns the reply to the command.
   * @throws what Redis says to the command, where it has accepted all subscriptions
   */
  async subscribePermanent(first: ChainableCommander, tick: string): Promise<unknown> {
    const { leaseNews: lease, lossNews: loss } = this.#keys;
    const permanent = this.#permanent.filter((pattern) => !this.#isCovered(pattern));
    const { isSharded } = this.#keys;
    const partitions = isSharded ? permanent.flatMap((pattern) => this.#keys.partitions(pattern)) : [];
    // ioredis takes a connection for one that subscribes to nothing when either kind of subscription has none left. These stay.
    if (isSharded) first.ssubscribe(tick, loss, ...new Set(partitions)).subscribe(lease);
    else first.subscribe(tick, lease, loss);
    const own = isSharded ? [`${tick} and ${loss}`, lease] : [`${tick}, ${lease} and ${loss}`];
    // One command each: if one name of a command is forbidden, Redis refuses all of them, and does not say which it is.
    const names = permanent.flatMap((pattern) => this.#names(pattern).map((name) => ({ pattern, name })));
    for (const { name } of names) {
      if (isExact(name)) first.subscribe(name);
      else first.psubscribe(name);
    }
    const sent = first.exec();
    this.#partitions.keep(partitions, sent);
    for (const pattern of permanent) this.#track(pattern, sent);
    const [[error, reply] = [null, undefined], ...acknowledged] = (await sent) ?? [];
    acknowledged.forEach(([refusal], i) => {
      if (!refusal) return;
      const name = own[i] ?? (names[i - own.length]?.pattern as string);
      throw isForbidden(refusal) ? new ChannelsForbidden(name, refusal) : refusal;
    });
    if (error) throw error;
    return reply;
  }

  /** Resolves when Redis has acknowledged all `patterns`. */
  async subscribeAll(patterns: readonly string[]): Promise<void> {
    const wanted = [...new Set(patterns)].filter((pattern) => !this.#isCovered(pattern));
    const fresh = wanted.filter((pattern) => !this.#active.has(pattern));
    const announced = this.#keys.isSharded
      ? new Map(fresh.map((pattern) => [pattern, this.#enter(pattern)]))
      : this.#subscribe(fresh, (pattern) => this.#keys.announced(pattern));
    const plain = this.#subscribe(fresh.filter(hasPlainName), (pattern) => this.#keys.plain(pattern));
    for (const pattern of fresh)
      this.#track(pattern, Promise.all([announced.get(pattern), plain.get(pattern)]));
    await Promise.all(wanted.map((pattern) => this.#active.get(pattern)));
  }

  async #enter(pattern: string): Promise<void> {
    try {
      await this.#partitions.enter(pattern);
    } catch (error) {
      throw isForbidden(error) ? new ChannelsForbidden(pattern, error) : error;
    }
  }

  /** Subscribes to one name of each pattern. Returns the acknowledgement of each. */
  #subscribe(
    patterns: readonly string[],
    nameOf: (pattern: string) => string,
  ): ReadonlyMap<string, Promise<unknown>> {
    const { redis } = this.#client;
    const exact = patterns.filter(isExact);
    const wildcards = patterns.filter((pattern) => !isExact(pattern));
    return new Map([
      ...this.#subscribeTogether(exact, nameOf, (names) => redis.subscribe(...names)),
      ...this.#subscribeTogether(wildcards, nameOf, (names) => redis.psubscribe(...names)),
    ]);
  }

  /** If one name of a command is forbidden, Redis refuses all of them, and does not say which. Then each gets its own command. */
  #subscribeTogether(
    patterns: readonly string[],
    nameOf: (pattern: string) => string,
    subscribe: (names: string[]) => Promise<unknown>,
  ): [string, Promise<unknown>][] {
    if (patterns.length === 0) return [];
    const together = subscribe(patterns.map(nameOf));
    return patterns.map((pattern) => {
      const alone = async (error: unknown): Promise<unknown> => {
        if (!isForbidden(error)) throw error;
        if (patterns.length === 1) throw new ChannelsForbidden(pattern, error);
        return subscribe([nameOf(pattern)]).catch((refusal) => {
          throw isForbidden(refusal) ? new ChannelsForbidden(pattern, refusal) : refusal;
        });
      };
      return [pattern, together.catch(alone)];
    });
  }

  #track(pattern: string, acknowledged: Promise<unknown>): void {
    this.#active.set(pattern, acknowledged);
    this.#heard.add(pattern);
    acknowledged.catch(() => {
      if (this.#active.get(pattern) !== acknowledged) return;
      this.#active.delete(pattern);
      this.#heard.delete(pattern);
    });
  }

  /** Leaves all patterns. Resolves when Redis has acknowledged that. No entry comes after it. */
  async unsubscribeAll(): Promise<void> {
    const active = [...this.#active.keys()];
    this.#active.clear();
    await Promise.all([this.#unsubscribe(active), this.#partitions.leaveAll()]);
  }

  async #unsubscribe(patterns: readonly string[]): Promise<void> {
    const { redis } = this.#client;
    const plain = patterns.filter(hasPlainName).map((pattern) => this.#keys.plain(pattern));
    const { isSharded } = this.#keys;
    const announced = isSharded ? [] : patterns.map((pattern) => this.#keys.announced(pattern));
    const left = [plain, announced].flatMap((names) => {
      const exact = names.filter(isExact);
      const wildcards = names.filter((name) => !isExact(name));
      return [
        exact.length > 0 && redis.unsubscribe(...exact),
        wildcards.length > 0 && redis.punsubscribe(...wildcards),
      ];
    });
    if (isSharded) left.push(...patterns.map((pattern) => this.#partitions.leave(pattern)));
    await Promise.all(left);
  }

  /** Listeners of `count` patterns have left: soon leaves all patterns that `isWanted` does not want. */
  unsubscribeSoon(count: number, isWanted: (pattern: string) => boolean): void {
    this.#lingering += count;
    if (this.#lingering > MAX_LINGERING) this.#unsubscribeUnless(isWanted);
    this.#timer ??= setTimeout(() => this.#unsubscribeUnless(isWanted), LINGER_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #unsubscribeUnless(isWanted: (pattern: string) => boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lingering = 0;
    for (const pattern of [...this.#active.keys()]) {
      if (this.#permanent.includes(pattern) || isWanted(pattern)) continue;
      this.#active.delete(pattern);
      this.#unsubscribe([pattern])
        .finally(() => this.#active.has(pattern) || this.#heard.delete(pattern))
        .catch((error) => this.#logger?.debug(`unsubscribe: ${messageOf(error)}`));
    }
  }

  /** If several subscriptions bring copies of a foreign message on this channel, the one whose copy counts. */
  firstToHear(channel: string): string | undefined {
    if (this.#active.has(channel)) return channel;
    return this.#heard.patternsMatching(channel).find((pattern) => this.#active.has(pattern));
  }

  /** The names of a pattern in Redis, but for partitions, in the order in which they are subscribed. */
  #names(pattern: string): string[] {
    const announced = this.#keys.isSharded ? [] : [this.#keys.announced(pattern)];
    return hasPlainName(pattern) ? [...announced, this.#keys.plain(pattern)] : announced;
  }

  /** A channel that a permanent wildcard matches is not subscribed itself, because each message would come twice. */
  #isCovered(pattern: string): boolean {
    return isExact(pattern) && this.#permanent.some((wide) => !isExact(wide) && matches(wide, pattern));
  }
}

/** Foreign messages on reserved channels are ignored, so a pattern of such channels is not subscribed by its plain name. */
function hasPlainName(pattern: string): boolean {
  return !isReserved(pattern);
}
