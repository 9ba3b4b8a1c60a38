// The live half of the log in Redis: one subscriber connection for all listeners of a process. Takes each message to the part
// that it is for, and makes the subscription whole again after every interruption.

import type { ChainableCommander, Redis } from 'ioredis';
import { isChannel, isReserved } from '../../../channels.ts';
import type { Draft } from '../../../entry.ts';
import type { Logger } from '../../../logger.ts';
import type { Listener, Subscription } from '../../broker.ts';
import type { DeliveryGuard } from '../../delivery-guard.ts';
import type { Position } from '../../position.ts';
import { type Interest, Routes } from '../../routes.ts';
import type { RedisClient } from '../client.ts';
import { codeOf } from '../errors.ts';
import type { RedisHistory } from '../history.ts';
import type { RedisKeys } from '../keys.ts';
import { CatchUp } from './catch-up.ts';
import { Sequencer } from './sequencer.ts';
import type { RedisSubscriptions } from './subscriptions.ts';
import { parseTick, Ticks } from './ticks.ts';
import { UnstoredChannels } from './unstored-channels.ts';

/** What the feed leaves to the adopter: foreign messages, and the news of who adopts them. */
export interface ForeignHandler {
  /**
   * `pattern` is the subscription that brought the message. Returns what to show now, or null for a message that will come
   * back from the log as an entry, and for a second copy.
   */
  onForeignMessage(channel: string, data: Buffer, pattern: string): Draft | null;
  /**
   * A subscription begins at `time`, by the log's clock (epoch ms). `holder` adopts the first message that it will bring;
   * null if nobody does.
   */
  onSubscribed(holder: string | null, time: number): void;
  /**
   * From here on `holder` adopts; null if nobody does. The news comes when the lease changes hands, and with each tick. A tick
   * also says at what time it was sent: all that was published before has come, or was dropped.
   */
  onLeaseHolder(holder: string | null, time?: number): void;
  /** The connection broke, or held messages were dropped: messages since the last tick may be missing. */
  onInterrupted(why: string): void;
}

interface Message {
  /** The Redis channel. */
  wire: string;
  data: Buffer;
  /** The Redis channel or pattern whose subscription brought the message. */
  pattern: string;
  /** `Sequencer.historyReads` when the message came. */
  reads: number;
}

interface RedisFeedOptions {
  client: RedisClient;
  history: RedisHistory;
  foreign: ForeignHandler;
  logger: Logger | undefined;
  keys: RedisKeys;
  /** Names this process in its ticks and leases. */
  instance: string;
  subscriptions: RedisSubscriptions;
  /** Begins a pipeline with a tick, whose reply names the adopter. */
  firstTick: (client: RedisClient) => Promise<ChainableCommander>;
  /** Asks for a tick as soon as possible. */
  requestTick: () => void;
}

/** `<instance>:<number>`, as `tick.lua` makes it. */
const LEASE = /^\w+:\d+$/;

/** After this long in one turn of the event loop, the rest of a burst waits for the next turn. */
const READ_MS = 5;

/** Node alone would read up to 32 chunks of 64 kB without coming back to the event loop. */
function readInTurns(socket: Redis['stream']): void {
  let beganAt = 0;
  const endTurn = () => {
    beganAt = 0;
    if (socket.isPaused()) socket.resume();
  };
  // Before and after the chunk is handled.
  socket.prependListener('data', () => {
    if (beganAt > 0) return;
    beganAt = performance.now();
    setImmediate(endTurn);
  });
  socket.on('data', () => {
    if (performance.now() - beganAt > READ_MS) socket.pause();
  });
}

/** A server whose ticks do not come back for this long is away, even if its connections are open. */
export const SILENT_MS = 4_000;
export const SILENT = 'connected, but it does not answer';

export class RedisFeed {
  readonly #routes = new Routes();
  readonly #client: RedisClient;
  readonly #history: RedisHistory;
  readonly #foreign: ForeignHandler;
  readonly #logger: Logger | undefined;
  readonly #wirePrefix: string;
  readonly #tickChannel: string;
  readonly #adoptedChannel: string;
  readonly #subscriptions: RedisSubscriptions;
  readonly #firstTick: RedisFeedOptions['firstTick'];
  readonly #requestTick: () => void;
  readonly #opening = Promise.withResolvers<void>();
  readonly #sequencer: Sequencer;
  readonly #catchUp: CatchUp<Message>;
  readonly #ticks = new Ticks();
  readonly #unstoredChannels = new UnstoredChannels(this.#routes);
  #closed = false;
  /** A subscription that was live has broken, and none has been live since. */
  #lost = false;
  /** Times that the feed was live again after that. Failed attempts in between do not count. */
  reconnects = 0;

  constructor(options: RedisFeedOptions) {
    this.#client = options.client;
    this.#history = options.history;
    this.#foreign = options.foreign;
    this.#logger = options.logger;
    this.#wirePrefix = options.keys.wirePrefix;
    this.#tickChannel = options.keys.tick(options.instance);
    this.#adoptedChannel = options.keys.adopted;
    this.#subscriptions = options.subscriptions;
    this.#firstTick = options.firstTick;
    this.#requestTick = options.requestTick;
    this.#sequencer = new Sequencer(this.#routes, (channel) => this.#subscriptions.isHeardOnce(channel));
    this.#catchUp = new CatchUp({
      history: this.#history,
      routes: this.#routes,
      sequencer: this.#sequencer,
      onLive: () => this.#onLive(),
      handle: (message) => this.#handle(message),
      onOverflow: () => this.#onInterrupted('too many came while history was read'),
    });
    const { redis } = this.#client;
    redis.on('identified', () =>
      this.#resubscribe().catch(async (error) => {
        // Another program has changed the log's numbers. A script that runs alone repairs them; one in a pipeline cannot.
        if (codeOf(error) === 'LOGSTATE') await this.#history.state().catch(() => undefined);
        if (!this.#closed && this.#client.connected) this.#client.reconnect(error);
      }),
    );
    redis.on('connect', () => readInTurns(redis.stream));
    redis.on('close', () => this.#onConnectionLost());
    redis.on('messageBuffer', (wire: Buffer, data: Buffer) => this.#receive(wire, data, null));
    redis.on('pmessageBuffer', (pattern: string | Buffer, wire: Buffer, data: Buffer) =>
      this.#receive(wire, data, pattern.toString()),
    );
  }

  get isLive(): boolean {
    return this.#catchUp.isLive;
  }

  /** Whether Redis has acknowledged all subscriptions: what is published now will be handled, perhaps after history. */
  get isAttached(): boolean {
    return this.#catchUp.isAttached;
  }

  /** Milliseconds since a tick came back. Usually at most about a second. */
  get silentMs(): number {
    return this.#ticks.silentMs;
  }

  get tickChannel(): string {
    return this.#tickChannel;
  }

  /** Resolves once the connection is up and delivery has begun. Keeps trying until then. */
  async open(): Promise<void> {
    this.#client.arrival().catch(() => undefined);
    await this.#opening.promise;
  }

  /** The number to send with the next tick. Its return proves which subscriptions were in force when it was sent. */
  nextTick(): number {
    return this.#ticks.nextNumber();
  }

  /** The server has published tick `count`: a subscription that does not bring it within `ms` is dead, and is replaced. */
  expectTick(count: number, ms: number): void {
    if (this.#ticks.hasReturned(count)) return;
    setTimeout(() => {
      if (this.#closed || !this.isLive || this.#ticks.hasReturned(count)) return;
      this.#logger?.warn('redis: the subscription is silent, reconnecting');
      this.#client.redis.disconnect(true);
    }, ms).unref();
  }

  async subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription> {
    if (!this.isLive) throw this.#client.unavailable(this.#client.lastError);
    if (this.silentMs > SILENT_MS) throw this.#client.unavailable(SILENT);
    const interest: Interest = { patterns, listener, from: undefined };
    this.#routes.register(interest);
    try {
      await this.#subscriptions.subscribeAll(patterns);
      const settled = this.#ticks.waitForNext(interest);
      this.#requestTick();
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => late.reject(new Error(SILENT)), SILENT_MS);
      const from = await Promise.race([settled, late.promise]).finally(() => clearTimeout(timer));
      return { from, close: () => this.#leave(interest) };
    } catch (error) {
      this.#leave(interest);
      throw this.#client.unavailable(error);
    }
  }

  /** Resolves when everything that was published before has come, after `deadlineMs` at the latest. Nothing comes after. */
  async unsubscribeAll(deadlineMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, deadlineMs);
    await Promise.race([this.#subscriptions.unsubscribeAll(), late.promise]).finally(() =>
      clearTimeout(timer),
    );
  }

  /** From now on nothing is delivered but what `guard` lets through. What is held back comes later, from history. */
  guard(guard: DeliveryGuard): void {
    this.#history.guard = guard;
    guard.onStale(() => {
      if (this.isLive)
        this.#goLive(this.#sequencer.deliveredUpTo).catch((error) => this.#client.reconnect(error));
    });
  }

  close(): void {
    this.#closed = true;
    this.#subscriptions.close();
    this.#ticks.rejectWaiting(this.#client.unavailable('closed'));
    this.#opening.promise.catch(() => undefined); // without a listener nobody awaits it, and the rejection is unhandled
    this.#opening.reject(this.#client.unavailable('closed'));
    this.#client.close();
  }

  #leave(interest: Interest): void {
    this.#routes.unregister(interest);
    if (!this.#closed)
      this.#subscriptions.unsubscribeSoon(interest.patterns.length, (pattern) =>
        this.#routes.isWanted(pattern),
      );
  }

  #onConnectionLost(): void {
    const wasLive = this.#catchUp.isLive;
    this.#catchUp.detach();
    this.#onInterrupted('the subscription was cut');
    this.#subscriptions.reset();
    this.#ticks.rejectWaiting(this.#client.unavailable('connection lost'));
    if (this.#sequencer.deliveredUpTo !== 0) this.#lost = true;
    if (wasLive) this.#logger?.warn('redis: subscription lost');
  }

  /** History gives back what the log holds. Foreign messages may be gone. */
  #onInterrupted(why: string): void {
    this.#foreign.onInterrupted(why);
    this.#unstoredChannels.markInterrupted();
  }

  async #resubscribe(): Promise<void> {
    const { connection } = this.#catchUp;
    // The tick and the subscriptions go out in one write. So this process knows who adopts the first message that comes.
    const first = await this.#firstTick(this.#client);
    const reply = await this.#subscriptions.subscribePermanent(first, [
      this.#tickChannel,
      this.#adoptedChannel,
    ]);
    const [holder, , , time] = reply as [string, string, number, string];
    if (connection === this.#catchUp.connection)
      this.#foreign.onSubscribed(holder === '' ? null : holder, Number(time));
    await this.#subscriptions.subscribeAll(this.#routes.patterns());
    if (connection !== this.#catchUp.connection) return; // it broke meanwhile, and the next one is on its way
    this.#catchUp.attach();
    this.#history.guard?.invalidate();
    await this.#goLive(this.#sequencer.deliveredUpTo);
  }

  async #goLive(from: Position): Promise<void> {
    if (!(await this.#catchUp.run(from))) return;
    this.#opening.resolve();
    this.#requestTick(); // its return says who adopts by now
  }

  /** History has been delivered, and the messages that were held come next. */
  #onLive(): void {
    this.#sequencer.onCaughtUp(this.#ticks.sent);
    this.#ticks.resetSilence();
    if (this.#lost) this.reconnects++;
    this.#lost = false;
    const { deliveredUpTo } = this.#sequencer;
    this.#unstoredChannels.reportGaps(deliveredUpTo);
    this.#routes.advance(deliveredUpTo);
  }

  #receive(wire: Buffer, data: Buffer, wirePattern: string | null): void {
    const name = wire.toString('latin1');
    const reads = this.#sequencer.historyReads;
    this.#catchUp.receive({ wire: name, data, pattern: wirePattern ?? name, reads });
  }

  #handle(message: Message): void {
    const { wire, data } = message;
    if (wire === this.#tickChannel) {
      this.#handleTick(data);
    } else if (wire === this.#adoptedChannel) {
      // `release.lua` and `tick.lua` publish a lease, `append.lua` a channel, a line end and a record.
      const end = data.indexOf(0x0a);
      if (end < 0) this.#handleLeaseChange(data.toString('latin1'));
      else this.#handleRecord(data.toString('latin1', 0, end), data.subarray(end + 1), message);
    } else if (wire.startsWith(this.#wirePrefix)) {
      this.#handleRecord(wire.slice(this.#wirePrefix.length), data, message);
    }
  }

  /** An empty lease was given back. Nobody adopts until the first candidate asks, which this process does at once. */
  #handleLeaseChange(lease: string): void {
    if (lease !== '' && !LEASE.test(lease)) return; // not published by the log's scripts
    this.#foreign.onLeaseHolder(lease === '' ? null : lease);
    if (lease === '') this.#requestTick();
  }

  #handleRecord(channel: string, data: Buffer, message: Message): void {
    const judgement = this.#sequencer.judgeMessage(channel, data, message.reads);
    if (judgement === 'foreign') this.#handleForeign(channel, data, message);
    else if (judgement !== 'handled') this.#recover(judgement.readFrom, message);
  }

  #handleForeign(channel: string, data: Buffer, message: Message): void {
    if (!isChannel(channel) || isReserved(channel)) return;
    const pattern = message.pattern.slice(this.#wirePrefix.length);
    const draft = this.#foreign.onForeignMessage(channel, data, pattern);
    if (draft && pattern === this.#subscriptions.firstToHear(channel)) this.#unstoredChannels.show(draft);
  }

  /** The subscription itself shows that entries are missing. The message waits until they have been read from history. */
  #recover(from: Position, message: Message | null): void {
    this.#logger?.warn(
      { channel: message?.wire },
      'redis: announcements are missing, reading them from history',
    );
    this.#goLive(from).catch((error) => this.#client.reconnect(error));
    if (message) this.#catchUp.hold(message);
  }

  #handleTick(data: Buffer): void {
    const tick = parseTick(data);
    if (!tick) return;
    const judgement = this.#sequencer.judgeTick(tick.position, tick.token, tick.count);
    if (judgement === 'foreign') return;
    // This tick is not held: after history it would be judged once more, and the next one comes within a second.
    if (judgement !== 'handled') {
      this.#recover(judgement.readFrom, null);
      return;
    }
    const { deliveredUpTo } = this.#sequencer;
    this.#client.seen.highest = Math.max(this.#client.seen.highest, tick.position);
    this.#foreign.onLeaseHolder(tick.holder, tick.time);
    this.#routes.advance(deliveredUpTo);
    this.#ticks.onReturned(tick.count, (interest) => {
      this.#routes.startDelivery(interest, deliveredUpTo);
      return deliveredUpTo;
    });
  }
}
