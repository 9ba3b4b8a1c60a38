// The live half of the log in Redis: one subscriber connection for all listeners of a process. Takes each message to the part
// that it is for, and makes the subscription whole again after every interruption. The Redis channel of a message says who sent it:
// what comes on the log's own channels is true, and what comes on a plain name is foreign, whatever it looks like.

import type { ChainableCommander } from 'ioredis';
import { isChannel, isReserved } from '../../../channels.ts';
import type { Draft } from '../../../entry.ts';
import type { Logger } from '../../../logger.ts';
import { settledWithin } from '../../../settled-within.ts';
import type { Listener, Subscription } from '../../broker.ts';
import type { DeliveryGuard } from '../../delivery-guard.ts';
import type { Position } from '../../position.ts';
import { type Interest, Routes } from '../../routes.ts';
import { noteStored, type RedisClient } from '../client.ts';
import { codeOf, isWriteRefused, messageOf } from '../errors.ts';
import type { RedisHistory } from '../history.ts';
import type { RedisKeys } from '../keys.ts';
import { CatchUp } from './catch-up.ts';
import { type Message, MessageReader } from './message-reader.ts';
import { readInTurns } from './read-in-turns.ts';
import { ReplicaEntry } from './replica-entry.ts';
import { Sequencer } from './sequencer.ts';
import type { RedisSubscriptions } from './subscriptions.ts';
import { parseTick, SILENT, Ticks } from './ticks.ts';
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

interface RedisFeedOptions {
  client: RedisClient;
  history: RedisHistory;
  foreign: ForeignHandler;
  /** Channels whose foreign messages are dropped. */
  ignore: readonly string[];
  logger: Logger | undefined;
  keys: RedisKeys;
  /** Names this process in its ticks and leases. */
  instance: string;
  subscriptions: RedisSubscriptions;
  /** Begins a pipeline with a tick, whose reply names the adopter. */
  firstTick: (client: RedisClient) => Promise<ChainableCommander>;
  /** Sends a tick that needs no write. */
  tickWithoutLease: () => Promise<void>;
  /** Asks for a tick as soon as possible. */
  requestTick: () => void;
}

export class RedisFeed {
  readonly #routes = new Routes();
  readonly #client: RedisClient;
  readonly #history: RedisHistory;
  readonly #foreign: ForeignHandler;
  readonly #ignored: readonly string[];
  readonly #logger: Logger | undefined;
  readonly #tickChannel: string;
  readonly #messages: MessageReader;
  readonly #subscriptions: RedisSubscriptions;
  readonly #firstTick: RedisFeedOptions['firstTick'];
  readonly #tickWithoutLease: RedisFeedOptions['tickWithoutLease'];
  readonly #requestTick: () => void;
  readonly #opening = Promise.withResolvers<void>();
  readonly #sequencer: Sequencer;
  readonly #catchUp: CatchUp<Message>;
  readonly #ticks = new Ticks();
  readonly #entry = new ReplicaEntry();
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
    this.#ignored = options.ignore;
    this.#logger = options.logger;
    this.#tickChannel = options.keys.tick(options.instance);
    this.#messages = new MessageReader(options.keys, this.#tickChannel);
    this.#subscriptions = options.subscriptions;
    this.#firstTick = options.firstTick;
    this.#tickWithoutLease = options.tickWithoutLease;
    this.#requestTick = options.requestTick;
    this.#sequencer = new Sequencer(this.#routes, (position, token) => {
      // A replica may follow another primary already that this process has not told yet of what it has stored: it must tell that first.
      if (!this.#client.onReplica) noteStored(this.#client.seen, position, token);
    });
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
    redis.on('messageBuffer', (redisChannel: Buffer, data: Buffer) =>
      this.#receive(this.#messages.read(redisChannel, data, null, this.#sequencer.historyReads)),
    );
    redis.on('pmessageBuffer', (pattern: string | Buffer, redisChannel: Buffer, data: Buffer) =>
      this.#receive(
        this.#messages.read(redisChannel, data, pattern.toString('latin1'), this.#sequencer.historyReads),
      ),
    );
    redis.on('smessageBuffer', (redisChannel: Buffer, data: Buffer) =>
      this.#receive(this.#messages.readSharded(redisChannel, data, this.#sequencer.historyReads)),
    );
  }

  get isLive(): boolean {
    return this.#catchUp.isLive;
  }

  /** Whether Redis has acknowledged all subscriptions: what is published now will be handled, perhaps after history. */
  get isAttached(): boolean {
    return this.#catchUp.isAttached;
  }

  /** Whether no tick has come back for some seconds. */
  get isSilent(): boolean {
    return this.#ticks.isSilent;
  }

  /** To be called once a second. */
  beat(): void {
    this.#ticks.beat();
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
    if (this.isSilent) throw this.#client.unavailable(SILENT);
    const interest: Interest = { patterns, listener, from: undefined };
    this.#routes.register(interest);
    try {
      await this.#subscriptions.subscribeAll(patterns);
      const settled = this.#ticks.waitForNext(interest);
      this.#requestTick();
      const from = await settled;
      return { from, close: () => this.#leave(interest) };
    } catch (error) {
      this.#leave(interest);
      throw this.#client.unavailable(error);
    }
  }

  /** Resolves when everything that was published before has come, or cannot come, after `deadlineMs` at the latest. Nothing comes after. */
  async unsubscribeAll(deadlineMs: number): Promise<void> {
    const left = this.#subscriptions.unsubscribeAll();
    left.catch((error) => this.#logger?.debug(`unsubscribe: ${messageOf(error)}`));
    await settledWithin(left, deadlineMs);
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
    this.#messages.reset();
    this.#entry.reset();
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
    if (this.#client.onReplica) await this.#enterReplica();
    else await this.#enterPrimary(connection);
    await this.#subscriptions.subscribeAll(this.#routes.patterns());
    if (connection !== this.#catchUp.connection) return; // it broke meanwhile, and the next one is on its way
    this.#catchUp.attach();
    this.#history.guard?.invalidate();
    await this.#goLive(this.#sequencer.cursor);
  }

  /**
   * The tick and the subscriptions go out in one write. So this process knows who adopts the first message that comes. Where Redis takes
   * no writes the tick is refused, and the subscriptions are not: nobody adopts then, and it stays unknown who will.
   */
  async #enterPrimary(connection: number): Promise<void> {
    const reply = await this.#subscribePermanent(await this.#firstTick(this.#client)).catch((error) => {
      if (!isWriteRefused(error)) throw error;
    });
    if (reply === undefined) return;
    const [holder, , , time] = reply as [string, string, number, string];
    if (connection === this.#catchUp.connection)
      this.#foreign.onSubscribed(holder === '' ? null : holder, Number(time));
  }

  /** The subscription begins with a tick that comes by the replica, and says the same as that reply. */
  #enterReplica(): Promise<void> {
    const subscribe = async () => {
      await this.#subscribePermanent(await this.#entry.listenForCopies(this.#client));
      return this.#firstTick(this.#client);
    };
    return this.#entry.enter(subscribe, this.#tickWithoutLease, ({ holder, time }) => {
      if (holder !== undefined) this.#foreign.onSubscribed(holder, time);
    });
  }

  #subscribePermanent(first: ChainableCommander): Promise<unknown> {
    return this.#subscriptions.subscribePermanent(first, this.#tickChannel);
  }

  async #goLive(from: Position): Promise<void> {
    if (!(await this.#catchUp.run(from))) return;
    this.#opening.resolve();
    this.#requestTick(); // its return says who adopts by now
  }

  /** History has been delivered, and the messages that were held come next. */
  #onLive(): void {
    this.#ticks.resetSilence();
    if (this.#lost) this.reconnects++;
    this.#lost = false;
    const { deliveredUpTo } = this.#sequencer;
    this.#unstoredChannels.reportGaps(deliveredUpTo);
    this.#routes.advance(deliveredUpTo);
  }

  #receive(message: Message | null): void {
    if (message === null) return;
    if (message.kind === 'copy') this.#onCopyLoaded();
    else if (!this.#entry.isEarly(message)) this.#catchUp.receive(message);
  }

  /** Nothing that follows is handled: what the copy has swallowed comes first, from history. */
  #onCopyLoaded(): void {
    if (!this.#client.onReplica) return;
    this.#catchUp.detach();
    this.#client.reconnect(new Error('the replica has loaded a copy of the log'));
  }

  #handle(message: Message): void {
    const { kind } = message;
    if (kind === 'announced') this.#handleAnnouncement(message);
    else if (kind === 'foreign') this.#handleForeign(message);
    else if (kind === 'tick') this.#handleTick(message);
    else if (kind === 'loss') this.#handleLoss(message);
    else this.#handleLeaseChange(message.data.toString('latin1'));
    // A log that takes the place of this one begins above whatever listeners of this process have got, also since the last tick.
    const { seen } = this.#client;
    seen.highest = Math.max(seen.highest, this.#sequencer.deliveredUpTo);
  }

  /** An empty lease was given back. Nobody adopts until the first candidate asks, which this process does at once. */
  #handleLeaseChange(lease: string): void {
    this.#foreign.onLeaseHolder(lease === '' ? null : lease);
    if (lease === '') this.#requestTick();
  }

  #handleAnnouncement(message: Message): void {
    const judgement = this.#sequencer.judgeAnnouncement(message.channel, message.data, message.reads);
    if (judgement !== 'done') this.#recover(judgement.readFrom, message);
  }

  #handleLoss({ data }: Message): void {
    const [after = '', position = '', token = ''] = data.toString('latin1').split(' ');
    const [lost, told] = [Number(after), Number(position)];
    if (Number.isSafeInteger(told) && lost < told) this.#sequencer.judgeLoss(lost, told, token);
  }

  #handleForeign({ channel, data, pattern }: Message): void {
    if (!isChannel(channel) || isReserved(channel) || this.#ignored.includes(channel)) return;
    const draft = this.#foreign.onForeignMessage(channel, data, pattern);
    if (draft && pattern === this.#subscriptions.firstToHear(channel)) this.#unstoredChannels.show(draft);
  }

  /** The subscription itself shows that entries are missing. The message waits until they have been read from history. */
  #recover(from: Position, message: Message | null): void {
    this.#logger?.warn(
      { channel: message?.channel },
      'redis: announcements are missing, reading them from history',
    );
    this.#goLive(from).catch((error) => this.#client.reconnect(error));
    if (message) this.#catchUp.hold(message);
  }

  #handleTick({ data, reads }: Message): void {
    const tick = parseTick(data);
    // A replica passes on what is published on the primary, but may not have all of it: a copy of the whole log brings no messages.
    if (!tick || !this.#client.isOn(tick.runId)) return;
    const judgement = this.#sequencer.judgeTick(tick.position, tick.token, reads);
    if (judgement === 'outdated') return;
    // This tick is not held: after history it would be judged once more, and the next one comes within a second.
    if (judgement !== 'complete') {
      this.#recover(judgement.readFrom, null);
      return;
    }
    const { deliveredUpTo } = this.#sequencer;
    if (tick.holder !== undefined) this.#foreign.onLeaseHolder(tick.holder, tick.time);
    this.#routes.advance(deliveredUpTo);
    this.#ticks.onReturned(tick.count, (interest) => {
      this.#routes.startDelivery(interest, deliveredUpTo);
      return deliveredUpTo;
    });
  }
}
