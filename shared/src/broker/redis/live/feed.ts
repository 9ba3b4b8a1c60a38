// The live half of the Redis broker: one subscriber connection for all listeners of a process. After any interruption it
// fills from history what the subscription missed, or names the gap, before it goes on.

import type { ChainableCommander } from 'ioredis';
import { isChannel, isReserved } from '../../../channels.ts';
import type { Logger } from '../../../logger.ts';
import { BoundedBuffer } from '../../bounded-buffer.ts';
import type { Listener, Subscription } from '../../broker.ts';
import type { Position } from '../../position.ts';
import type { LogRecord } from '../../record.ts';
import { type Interest, Routes } from '../../routes.ts';
import type { RedisClient } from '../client.ts';
import { codeOf } from '../errors.ts';
import type { RedisHistory } from '../history.ts';
import { replay } from './replay.ts';
import { Sequencer } from './sequencer.ts';
import type { RedisSubscriptions } from './subscriptions.ts';
import { parseTick, Ticks } from './ticks.ts';
import { UnstoredChannels } from './unstored-channels.ts';

/** What the feed does not handle itself: messages that the log did not announce. */
export interface ForeignHandler {
  /** `pattern` is the Redis subscription by which it came. Null: not to be shown, or to come from the log. */
  onForeignMessage(channel: string, data: Buffer, pattern: string): LogRecord | null;
  /** A subscription begins; who adopts the first message that it will bring, null for nobody. */
  onSubscribed(holder: string | null): void;
  /** Who adopts from here on, as the log said by a tick or when the lease changed hands; null for nobody. */
  onLeaseHolder(holder: string | null): void;
  /** The subscription broke off, or what it brought was dropped: messages since the last tick may be missing. */
  onInterrupted(why: string): void;
}

/** `wire` is the Redis channel, `pattern` the Redis subscription by which it came. */
interface Message {
  wire: string;
  data: Buffer;
  pattern: string;
  /** How often history had been read when it came. */
  reads: number;
}

interface RedisFeedOptions {
  client: RedisClient;
  history: RedisHistory;
  foreign: ForeignHandler;
  logger: Logger | undefined;
  prefix: string;
  wirePrefix: string;
  instance: string;
  subscriptions: RedisSubscriptions;
  /** Begins a pipeline with a tick, whose reply names the adopter. */
  firstTick: (client: RedisClient) => Promise<ChainableCommander>;
  /** Asks for a tick as soon as possible. */
  requestTick: () => void;
}

const LEASE = /^\w+:\d+$/;
/** The last listener's leave takes effect after this, so that a page reload costs no unsubscribe and subscribe. */
const LINGER_MS = 1_000;
/** Beyond so many patterns at once: Redis compares each message with each of them as long as they stay. */
const MAX_LINGERING = 1_000;

/** A server that brings no tick for so long is not there, though its connections are. */
export const SILENT_MS = 4_000;
export const SILENT = 'connected, but it does not answer';

export class RedisFeed {
  readonly routes = new Routes();
  readonly #client: RedisClient;
  readonly #history: RedisHistory;
  readonly #foreign: ForeignHandler;
  readonly #logger: Logger | undefined;
  /** Before a channel's name on the wire: nothing in the default namespace. */
  readonly #wirePrefix: string;
  readonly #tickChannel: string;
  readonly #adoptedChannel: string;
  readonly #subscriptions: RedisSubscriptions;
  readonly #firstTick: RedisFeedOptions['firstTick'];
  readonly #requestTick: () => void;
  readonly #opening = Promise.withResolvers<void>();
  readonly #sequencer: Sequencer;
  readonly #ticks = new Ticks();

  #live = false;
  #catchingUp = false;
  /** Whether the connection that lasts has acknowledged all subscriptions; each connection has a number. */
  #attached = false;
  #connection = 0;
  readonly #held = new BoundedBuffer<Message>();
  readonly #unstoredChannels = new UnstoredChannels();
  #sweep: NodeJS.Timeout | undefined;
  #lingering = 0;
  #closed = false;
  /** A link that had served has broken, and none has served since: attempts that fail on the way are not counted. */
  #lost = false;
  reconnects = 0;

  constructor(options: RedisFeedOptions) {
    this.#client = options.client;
    this.#history = options.history;
    this.#foreign = options.foreign;
    this.#logger = options.logger;
    this.#wirePrefix = options.wirePrefix;
    // A '#' is in no channel's name, so that a wildcard of a namespace cannot take these for entries.
    this.#tickChannel = `${options.prefix}#tick:${options.instance}`;
    this.#adoptedChannel = `${options.prefix}#adopted`;
    this.#subscriptions = options.subscriptions;
    this.#sequencer = new Sequencer(this.routes, (channel) => this.#subscriptions.isHeardOnce(channel));
    this.#firstTick = options.firstTick;
    this.#requestTick = options.requestTick;
    const { redis } = this.#client;
    redis.on('identified', () =>
      this.#resubscribe().catch(async (error) => {
        // A script that is run alone mends what another program has made of the log's numbers; one in a pipeline cannot.
        if (codeOf(error) === 'LOGSTATE') await this.#history.state().catch(() => undefined);
        if (!this.#closed && this.#client.connected) this.#client.reconnect(error);
      }),
    );
    redis.on('close', () => this.#onConnectionLost());
    redis.on('messageBuffer', (wire: Buffer, data: Buffer) => this.#receive(wire, data, null));
    redis.on('pmessageBuffer', (pattern: string | Buffer, wire: Buffer, data: Buffer) =>
      this.#receive(wire, data, pattern.toString()),
    );
  }

  get live(): boolean {
    return this.#live;
  }

  /** Whether the subscriptions are acknowledged: what is published now will be handled, if only after the history is read. */
  get attached(): boolean {
    return this.#attached;
  }

  /** Milliseconds since the server was last heard of; ticks make it about a second at most. */
  get silentMs(): number {
    return this.#ticks.silentMs;
  }

  get tickChannel(): string {
    return this.#tickChannel;
  }

  /** Resolves once the subscription connection is up and delivery has begun; keeps trying until then. */
  async open(): Promise<void> {
    this.#client.arrival().catch(() => undefined);
    await this.#opening.promise;
  }

  /** The number to send with the next tick: its return tells what was subscribed when it was sent. */
  nextTick(): number {
    return this.#ticks.nextNumber();
  }

  /** The server has sent tick `count`: a subscription that has not brought it within `ms` is dead, though connected. */
  expectTick(count: number, ms: number): void {
    if (this.#ticks.hasReturned(count)) return;
    setTimeout(() => {
      if (this.#closed || !this.#live || this.#ticks.hasReturned(count)) return;
      this.#logger?.warn('redis: the subscription is silent, reconnecting');
      this.#client.redis.disconnect(true);
    }, ms).unref();
  }

  async subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription> {
    if (!this.#live) throw this.#client.unavailable(this.#client.lastError);
    if (this.silentMs > SILENT_MS) throw this.#client.unavailable(SILENT);
    const interest: Interest = { patterns, listener, from: undefined };
    this.routes.register(interest);
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

  /** Hears no more; resolves when all that was published before has come, after `deadlineMs` at the latest. */
  async unsubscribeAll(deadlineMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, deadlineMs);
    await Promise.race([this.#subscriptions.unsubscribeAll(), late.promise]).finally(() =>
      clearTimeout(timer),
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#sweep);
    this.#ticks.rejectWaiting(this.#client.unavailable('closed'));
    this.#opening.promise.catch(() => undefined); // nobody waits where nobody has listened
    this.#opening.reject(this.#client.unavailable('closed'));
    this.#client.close();
  }

  #leave(interest: Interest): void {
    this.routes.unregister(interest);
    if (this.#closed) return;
    this.#lingering += interest.patterns.length;
    if (this.#lingering > MAX_LINGERING) this.#leaveUnwanted();
    this.#sweep ??= setTimeout(() => this.#leaveUnwanted(), LINGER_MS).unref();
  }

  #leaveUnwanted(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    this.#lingering = 0;
    this.#subscriptions.unsubscribeUnless((pattern) => this.routes.isWanted(pattern));
  }

  #onConnectionLost(): void {
    this.#attached = false;
    this.#connection++;
    this.#foreign.onInterrupted('the subscription was cut');
    this.#unstoredChannels.markInterrupted();
    this.#subscriptions.reset();
    this.#ticks.rejectWaiting(this.#client.unavailable('connection lost'));
    this.#held.clear();
    if (this.#sequencer.deliveredUpTo !== 0) this.#lost = true;
    if (!this.#live) return;
    this.#live = false;
    this.#logger?.warn('redis: subscription lost');
  }

  async #resubscribe(): Promise<void> {
    const connection = this.#connection;
    // In one write, so that no message comes of which this process does not know who adopts it.
    const first = await this.#firstTick(this.#client);
    const tick = await this.#subscriptions.subscribePermanent(first, [
      this.#tickChannel,
      this.#adoptedChannel,
    ]);
    const [holder] = tick as [string];
    if (connection === this.#connection) this.#foreign.onSubscribed(holder === '' ? null : holder);
    await this.#subscriptions.subscribeAll(this.routes.patterns());
    if (connection !== this.#connection) return; // lost meanwhile; the next one is on its way
    this.#attached = true;
    await this.#catchUp(this.#sequencer.deliveredUpTo);
  }

  /** Delivers what history holds after `from`, then what came live meanwhile, then goes live. */
  async #catchUp(from: Position): Promise<void> {
    if (this.#catchingUp) return;
    this.#catchingUp = true;
    this.#live = false;
    try {
      let after = from;
      for (let connection = -1; connection !== this.#connection || this.#held.overflowed; ) {
        // What a connection heard counts only if history was read after it had begun to listen, and while it lasted.
        connection = this.#connection;
        if (!this.#attached) return; // the next connection begins anew, from the position reached
        this.#held.overflowed = false;
        const { head } = await this.#sequencer.learnState(() => this.#history.state());
        if (after === 0) this.#sequencer.deliveredUpTo = head;
        else await this.#replay(after, head);
        after = this.#sequencer.deliveredUpTo;
      }
      this.#goLive();
    } finally {
      this.#catchingUp = false;
    }
  }

  #replay(from: Position, upTo: Position): Promise<void> {
    const sequencer = this.#sequencer;
    const range = { from, upTo, deliveredUpTo: sequencer.deliveredUpTo };
    return replay(this.#history, this.routes, range, (position) => {
      sequencer.deliveredUpTo = position;
    });
  }

  #goLive(): void {
    this.#sequencer.onCaughtUp(this.#ticks.sent);
    this.#ticks.resetSilence();
    const held = this.#held.drain();
    this.#live = true;
    if (this.#lost) this.reconnects++;
    this.#lost = false;
    const { deliveredUpTo } = this.#sequencer;
    for (const gap of this.#unstoredChannels.takeGaps(deliveredUpTo)) this.routes.deliverGap(gap);
    this.routes.advance(deliveredUpTo);
    for (const message of held) {
      if (this.#live) this.#handle(message);
      else this.#hold(message);
    }
    this.#opening.resolve();
    this.#requestTick(); // who adopts by now?
  }

  #receive(wire: Buffer, data: Buffer, wirePattern: string | null): void {
    const name = wire.toString('latin1');
    const message = { wire: name, data, pattern: wirePattern ?? name, reads: this.#sequencer.historyReads };
    if (this.#live) this.#handle(message);
    else this.#hold(message);
  }

  #hold(message: Message): void {
    if (this.#held.hold(message)) return;
    this.#foreign.onInterrupted('too many came while history was read');
    this.#unstoredChannels.markInterrupted();
  }

  #handle(message: Message): void {
    const { wire, data } = message;
    if (wire === this.#tickChannel) {
      this.#tick(data);
    } else if (wire === this.#adoptedChannel) {
      const end = data.indexOf(0x0a);
      if (end < 0) this.#leaseChanged(data.toString('latin1'));
      else this.#announced(data.toString('latin1', 0, end), data.subarray(end + 1), message);
    } else if (wire.startsWith(this.#wirePrefix)) {
      this.#announced(wire.slice(this.#wirePrefix.length), data, message);
    }
  }

  /** '' where it was given back: whoever asks first takes it, and until then nobody adopts. */
  #leaseChanged(holder: string): void {
    if (holder !== '' && !LEASE.test(holder)) return; // nobody's announcement of ours
    this.#foreign.onLeaseHolder(holder === '' ? null : holder);
    if (holder === '') this.#requestTick();
  }

  #announced(channel: string, data: Buffer, message: Message): void {
    const judgement = this.#sequencer.judgeMessage(channel, data, message.reads);
    if (judgement === 'foreign') this.#foreignMessage(channel, data, message);
    else if (judgement !== 'taken') this.#recover(judgement.readFrom, message);
  }

  #foreignMessage(channel: string, data: Buffer, message: Message): void {
    if (!isChannel(channel) || isReserved(channel)) return;
    const pattern = message.pattern.slice(this.#wirePrefix.length);
    const record = this.#foreign.onForeignMessage(channel, data, pattern);
    if (!record || pattern !== this.#subscriptions.firstToHear(channel)) return;
    const { interests } = this.routes.route(channel);
    if (interests.length > 0) this.#unstoredChannels.markShown(channel);
    for (const { listener } of interests) listener.onRecord(record);
  }

  /** The stream itself shows that something is wrong: hold what comes, read history, go on. */
  #recover(from: Position, message: Message | null): void {
    this.#logger?.warn(
      { channel: message?.wire },
      'redis: announcements are missing, reading them from history',
    );
    this.#catchUp(from).catch((error) => {
      this.#client.reconnect(error);
    });
    if (message) this.#hold(message);
  }

  #tick(data: Buffer): void {
    const tick = parseTick(data);
    if (!tick) return;
    const judgement = this.#sequencer.judgeTick(tick.position, tick.token, tick.count);
    if (judgement === 'foreign') return;
    // Not held back: it would be met again after the look, and the next one comes within a second.
    if (judgement !== 'taken') {
      this.#recover(judgement.readFrom, null);
      return;
    }
    const { deliveredUpTo } = this.#sequencer;
    this.#client.seen.highest = Math.max(this.#client.seen.highest, tick.position);
    this.#foreign.onLeaseHolder(tick.holder);
    this.routes.advance(deliveredUpTo);
    this.#ticks.onReturned(tick.count, (interest) => {
      this.routes.startDelivery(interest, deliveredUpTo);
      return deliveredUpTo;
    });
  }
}
