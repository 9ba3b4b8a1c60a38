// Sends a tick once a second, and at once when asked: it tells this process the log's position through its own
// subscription, keeps or takes the adopter's lease, and paces the duties that go with it.

import type { ChainableCommander } from 'ioredis';
import type { Logger } from '../../../logger.ts';
import { loadScript, messageOf, type RedisClient } from '../client.ts';
import type { RedisJanitor } from '../janitor.ts';
import type { RedisKeys } from '../keys.ts';
import type { RedisAdopter } from './adopter.ts';
import type { RedisFeed } from './feed.ts';

const TICK = loadScript('tick', 'allow-oom');
const TICK_MS = 1_000;
/** How long a dead adopter's lease holds. */
const LEASE_MS = 3_000;
/** A tick that the server took but that did not come back within this shows a dead subscription. */
const TICK_LOST_MS = 5_000;
const JANITOR_EVERY_TICKS = 10;

export class RedisHeartbeat {
  readonly #commands: RedisClient;
  readonly #keys: RedisKeys;
  readonly #feed: RedisFeed;
  readonly #adopter: RedisAdopter;
  readonly #janitor: RedisJanitor;
  /** '' where this process offers to adopt nothing. */
  readonly #candidate: string;
  readonly #logger: Logger | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #wanted = false;
  #ticksSinceSweep = 0;
  /** The lease under which this process took up its duties. */
  #duty = '';
  #stopped = false;

  constructor(options: {
    commands: RedisClient;
    keys: RedisKeys;
    feed: RedisFeed;
    adopter: RedisAdopter;
    janitor: RedisJanitor;
    candidate: string;
    logger: Logger | undefined;
  }) {
    this.#commands = options.commands;
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
    this.#timer ??= setInterval(() => this.sendTick(), TICK_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** A pipeline that begins with a tick, for a connection that is about to subscribe. It may take the lease. */
  firstTick(client: RedisClient): Promise<ChainableCommander> {
    return client.scriptPipeline(TICK, this.#keys, this.#arguments(this.#feed.nextTick(), true));
  }

  /** One tick under way at a time; one that is asked for meanwhile follows at once. */
  sendTick(): void {
    this.#wanted = true;
    if (this.#sending || this.#stopped) return;
    this.#sending = true;
    this.#send()
      .finally(() => {
        this.#sending = false;
      })
      .catch((error) => this.#logger?.warn(`tick: ${messageOf(error)}`));
  }

  async #send(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      // Also while history is read: the lease must outlast that.
      if (!this.#feed.isAttached) return;
      const count = this.#feed.nextTick();
      try {
        const reply = await this.#commands.runScript(
          TICK,
          this.#keys,
          this.#arguments(count, this.#adopter.isNewcomer),
        );
        const [holder, lastHeld, leaseMs] = reply as [string, string, number];
        this.#feed.expectTick(count, TICK_LOST_MS);
        if (this.#candidate === '') continue;
        if (holder.startsWith(`${this.#candidate}:`)) this.#performDuties(holder, Number(lastHeld));
        // A holder that has not renewed it in time may be dead, and a free one is left to others for a while: be there when
        // that ends.
        else if (leaseMs < TICK_MS) setTimeout(() => this.sendTick(), leaseMs + 1).unref();
      } catch (error) {
        this.#logger?.debug(`tick: ${messageOf(error)}`);
      }
    }
  }

  #arguments(count: number, isNewcomer: boolean): (string | number)[] {
    return [this.#feed.tickChannel, this.#candidate, LEASE_MS, count, isNewcomer ? '1' : ''];
  }

  #performDuties(lease: string, lastHeldMs: number): void {
    if (lease !== this.#duty) {
      this.#duty = lease;
      this.#logger?.info('adopting foreign messages');
      this.#adopter.reportVacancy(lastHeldMs);
    }
    if (++this.#ticksSinceSweep < JANITOR_EVERY_TICKS) return;
    this.#ticksSinceSweep = 0;
    this.#janitor.sweep().catch((error) => this.#logger?.warn(`janitor: ${messageOf(error)}`));
  }
}
