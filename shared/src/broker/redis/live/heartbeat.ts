// Sends a tick once a second, and at once on request. Each tick brings the log's head through this process's own subscription, and
// renews or takes the adopter's lease. The holder's duties are done at the same pace.

import type { ChainableCommander } from 'ioredis';
import type { Logger } from '../../../logger.ts';
import { loadScript, noteStored, type RedisClient } from '../client.ts';
import { isWriteRefused, messageOf } from '../errors.ts';
import type { RedisJanitor } from '../janitor.ts';
import type { RedisKeys } from '../keys.ts';
import { readState } from '../read-state.ts';
import type { RedisAdopter } from './adopter.ts';
import type { RedisFeed } from './feed.ts';
import { tickWithoutLease } from './ticks.ts';

const TICK = loadScript('tick', 'allow-oom');
const TICK_MS = 1_000;
/** A lease that is not renewed ends after this. When an adopter dies, nobody stores what comes until then: all others take it for alive. */
const LEASE_MS = 3_000;
/** If a tick that Redis has published does not come back within this, the subscription is dead. */
const TICK_LOST_MS = 5_000;
const JANITOR_EVERY_TICKS = 10;

export class RedisHeartbeat {
  readonly #commands: RedisClient;
  readonly #readers: readonly RedisClient[];
  readonly #keys: RedisKeys;
  readonly #feed: RedisFeed;
  readonly #adopter: RedisAdopter;
  readonly #janitor: RedisJanitor;
  /** The instance that asks for the lease; '' if this process adopts nothing. */
  readonly #candidate: string;
  readonly #logger: Logger | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #isWanted = false;
  #ticksSinceSweep = 0;
  /** The lease that this process held at the last tick. */
  #heldLease = '';
  /** The beginning of the vacancy that was reported under this lease, epoch ms; 0 if none was. */
  #reportedVacancy = 0;
  #stopped = false;

  constructor(options: {
    commands: RedisClient;
    /** Must read what is written by `commands`: another server may hold an older state of the log. */
    readers: readonly RedisClient[];
    keys: RedisKeys;
    feed: RedisFeed;
    adopter: RedisAdopter;
    janitor: RedisJanitor;
    candidate: string;
    logger: Logger | undefined;
  }) {
    this.#commands = options.commands;
    this.#readers = options.readers;
    this.#keys = options.keys;
    this.#feed = options.feed;
    this.#adopter = options.adopter;
    this.#janitor = options.janitor;
    this.#candidate = options.candidate;
    this.#logger = options.logger;
  }

  get isBeating(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#feed.beat();
      this.sendTick();
    }, TICK_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /**
   * A pipeline that begins with a tick, for a connection that is about to subscribe. The tick may take the lease. Where the connection
   * is to a replica, the pipeline is to the primary.
   */
  firstTick(client: RedisClient): Promise<ChainableCommander> {
    const writing = client.onReplica ? this.#commands : client;
    return writing.scriptPipeline(TICK, this.#keys, this.#arguments(this.#feed.nextTick(), true));
  }

  /** One tick is under way at a time. A request that comes meanwhile is served right after it. */
  sendTick(): void {
    this.#isWanted = true;
    if (this.#sending || this.#stopped) return;
    this.#sending = true;
    this.#send()
      .finally(() => {
        this.#sending = false;
      })
      .catch((error) => this.#logger?.warn(`tick: ${messageOf(error)}`));
  }

  async #send(): Promise<void> {
    while (this.#isWanted && !this.#stopped) {
      this.#isWanted = false;
      // While history is read ticks go on, so that the lease does not end.
      if (!this.#feed.isAttached) return;
      const count = this.#feed.nextTick();
      try {
        const reply = await this.#commands.runScript(
          TICK,
          this.#keys,
          this.#arguments(count, this.#adopter.isNewcomer),
        );
        const [holder, vacated, leaseMs, , newest, token] = reply as [
          string,
          string,
          number,
          number,
          string,
          string,
        ];
        // Where the feed is a replica, entries may be lost with the primary that the feed has never brought.
        noteStored(this.#commands.seen, Number(newest), token);
        await this.#expectTick(count);
        if (this.#candidate === '') continue;
        if (holder.startsWith(`${this.#candidate}:`)) this.#performDuties(holder, Number(vacated));
        // The holder has not renewed its lease in time, and may be dead. Or the lease is free, and others go first for a while.
        // In both cases the next tick comes at the moment when that ends.
        else if (leaseMs < TICK_MS) setTimeout(() => this.sendTick(), leaseMs + 1).unref();
      } catch (error) {
        this.#logger?.debug(`tick: ${messageOf(error)}`);
        if (isWriteRefused(error))
          await this.sendWithoutLease(count).catch((second) =>
            this.#logger?.debug(`tick: ${messageOf(second)}`),
          );
      }
    }
  }

  /** Where Redis takes no writes nobody adopts, but readers go on. */
  async sendWithoutLease(count = this.#feed.nextTick()): Promise<void> {
    const [token, , head] = await readState(this.#commands, this.#keys);
    const tick = tickWithoutLease(head, token, count, await this.#commands.runId());
    const { redis } = this.#commands;
    const { tickChannel } = this.#feed;
    await (this.#keys.isSharded ? redis.spublish(tickChannel, tick) : redis.publish(tickChannel, tick));
    await this.#expectTick(count);
  }

  /** The tick has been published: it must come back, and all that is read must be what was written there. */
  async #expectTick(count: number): Promise<void> {
    const runId = await this.#commands.runId();
    for (const reader of this.#readers) reader.isOn(runId);
    this.#feed.expectTick(count, TICK_LOST_MS);
  }

  #arguments(count: number, isNewcomer: boolean): (string | number)[] {
    const { tickChannel } = this.#feed;
    // `storedUpTo` takes the place of the time since which messages may be missing from before this lease. So it is sent only in a lease
    // whose vacancy (`#performDuties`) has been reported: if this process died in between, the next holder would not know of it.
    const storedUpTo = this.#heldLease === this.#adopter.lease ? this.#adopter.storedUpTo : 0;
    return [tickChannel, this.#candidate, LEASE_MS, count, isNewcomer ? '1' : '', storedUpTo];
  }

  #performDuties(lease: string, vacatedMs: number): void {
    if (lease !== this.#heldLease) {
      this.#heldLease = lease;
      this.#reportedVacancy = 0;
      this.#logger?.info('adopting foreign messages');
    }
    if (vacatedMs !== this.#reportedVacancy) this.#adopter.reportVacancy(vacatedMs);
    this.#reportedVacancy = vacatedMs;
    if (++this.#ticksSinceSweep < JANITOR_EVERY_TICKS) return;
    this.#ticksSinceSweep = 0;
    this.#janitor.sweep().catch((error) => this.#logger?.warn(`janitor: ${messageOf(error)}`));
  }
}
