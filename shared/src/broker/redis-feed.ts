// The live half of the Redis broker: one subscriber connection for all listeners of a process. After any interruption it
// fills from history what the subscription missed, or names the gap, before it goes on.

import { isChannel, isReserved } from '../channels.ts';
import type { Logger } from '../logger.ts';
import type { Gap, Listener, Subscription } from './broker.ts';
import { HeldMessages } from './held-messages.ts';
import type { Position } from './position.ts';
import { type Head, isSound, LogRecord, parseHead } from './record.ts';
import { messageOf, type RedisClient } from './redis-client.ts';
import type { RedisHistory } from './redis-history.ts';
import type { RedisSubscriptions } from './redis-subscriptions.ts';
import { deliver, type Interest, Routes } from './routes.ts';

/** What the feed does not handle itself: messages that the log did not announce. */
export interface ForeignHandler {
  /** `pattern` is the Redis subscription by which it came. Null: not to be shown. */
  foreign(channel: string, data: Buffer, pattern: string): LogRecord | null;
  /** Who adopts from here on, as the log said by a tick or when the lease changed hands; null for nobody. */
  leaseHolder(holder: string | null): void;
  /** The subscription broke off, or what it brought was dropped: messages since the last tick may be missing. */
  interrupted(): void;
}

interface Settling {
  tick: number;
  interest: Interest;
  resolve: (from: Position) => void;
  reject: (error: Error) => void;
}

/** `wire` is the Redis channel, `pattern` the Redis subscription by which it came. */
interface Message {
  wire: string;
  data: Buffer;
  pattern: string;
}

const LEASE = /^\w+:\d+$/;
const CATCH_UP_PAGE = 1_000;
/** The last listener's leave takes effect after this, so that a page reload costs no unsubscribe and subscribe. */
const LINGER_MS = 1_000;
/** A log whose token changed is looked at no more often than this; forged tokens cost no more. */
const RELEARN_MS = 1_000;

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
  readonly #requestTick: () => void;
  readonly #opening = Promise.withResolvers<void>();
  /** Interests waiting for the return of a tick, by its number. */
  #settling: Settling[] = [];

  #live = false;
  #catchingUp = false;
  /** Whether the connection that lasts has acknowledged all subscriptions; each connection has a number. */
  #attached = false;
  #connection = 0;
  readonly #held = new HeldMessages<Message>();
  #token = '';
  /** Everything up to here has been delivered; 0 before the first connection. */
  #position: Position = 0;
  #lookedAt = 0;
  #ticks = 0;
  /** History was read on another connection: until a later tick comes back, what it held may still arrive here too. */
  #inStep = false;
  #inStepAfter = 0;
  /** The newest tick that came back. */
  #returned = 0;
  #sweep: NodeJS.Timeout | undefined;
  #closed = false;
  reconnects = 0;

  constructor(options: {
    client: RedisClient;
    history: RedisHistory;
    foreign: ForeignHandler;
    logger: Logger | undefined;
    prefix: string;
    wirePrefix: string;
    instance: string;
    subscriptions: RedisSubscriptions;
    /** Asks for a tick as soon as possible. */
    requestTick: () => void;
  }) {
    this.#client = options.client;
    this.#history = options.history;
    this.#foreign = options.foreign;
    this.#logger = options.logger;
    this.#wirePrefix = options.wirePrefix;
    // A '#' is in no channel's name, so that a wildcard of a namespace cannot take these for entries.
    this.#tickChannel = `${options.prefix}#tick:${options.instance}`;
    this.#adoptedChannel = `${options.prefix}#adopted`;
    this.#subscriptions = options.subscriptions;
    this.#requestTick = options.requestTick;
    const { redis } = this.#client;
    redis.on('identified', () => void this.#resubscribe());
    redis.on('close', () => this.#interrupted());
    redis.on('messageBuffer', (wire: Buffer, data: Buffer) => this.#receive(wire, data, null));
    redis.on('pmessageBuffer', (pattern: string | Buffer, wire: Buffer, data: Buffer) =>
      this.#receive(wire, data, pattern.toString()),
    );
  }

  get live(): boolean {
    return this.#live;
  }

  get tickChannel(): string {
    return this.#tickChannel;
  }

  /** Resolves once the subscription connection is up and delivery has begun; keeps trying until then. */
  async open(): Promise<void> {
    void this.#client.arrival().catch(() => undefined);
    await this.#opening.promise;
  }

  /** The number to send with the next tick: its return tells what was subscribed when it was sent. */
  nextTick(): number {
    return ++this.#ticks;
  }

  /** The server has sent tick `count`: a subscription that has not brought it within `ms` is dead, though connected. */
  expectTick(count: number, ms: number): void {
    if (count <= this.#returned) return;
    setTimeout(() => {
      if (this.#closed || !this.#live || count <= this.#returned) return;
      this.#logger?.warn('redis: the subscription is silent, reconnecting');
      this.#client.redis.disconnect(true);
    }, ms).unref();
  }

  async subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription> {
    if (!this.#live) throw this.#client.unavailable(this.#client.lastError);
    const interest: Interest = { patterns, listener, from: undefined };
    this.routes.add(interest);
    try {
      await this.#subscriptions.add(patterns);
      // The next tick to be sent returns through the same connection: what comes after it is complete.
      const { promise, resolve, reject } = Promise.withResolvers<Position>();
      this.#settling.push({ tick: this.#ticks + 1, interest, resolve, reject });
      this.#requestTick();
      const from = await promise;
      return { from, close: () => this.#leave(interest) };
    } catch (error) {
      this.#leave(interest);
      throw this.#client.unavailable(error);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#sweep);
    this.#failSettling('closed');
    this.#opening.promise.catch(() => undefined); // nobody waits where nobody has listened
    this.#opening.reject(this.#client.unavailable('closed'));
    this.#client.close();
  }

  #leave(interest: Interest): void {
    this.routes.remove(interest);
    if (this.#sweep || this.#closed) return;
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined;
      this.#subscriptions.keep((pattern) => this.routes.wanted(pattern));
    }, LINGER_MS);
    this.#sweep.unref();
  }

  #interrupted(): void {
    this.#attached = false;
    this.#connection++;
    this.#foreign.interrupted();
    this.#subscriptions.reset();
    this.#failSettling('connection lost');
    this.#held.clear();
    if (!this.#live) return;
    this.#live = false;
    this.#logger?.warn('redis: subscription lost');
  }

  async #resubscribe(): Promise<void> {
    try {
      await this.#client.redis.subscribe(this.#tickChannel, this.#adoptedChannel);
      await this.#subscriptions.add(this.routes.patterns());
      this.#attached = true;
      if (this.#position !== 0) this.reconnects++;
      await this.#catchUp(this.#position);
    } catch (error) {
      if (!this.#closed && this.#client.connected) {
        this.#logger?.warn(`redis: resubscribing failed, trying again: ${messageOf(error)}`);
        this.#client.redis.disconnect(true);
      }
    }
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
        const state = await this.#history.state();
        this.#token = state.token;
        if (after === 0) this.#position = state.head;
        else await this.#deliverHistory(after, state.head);
        after = this.#position;
      }
      this.#goLive();
    } finally {
      this.#catchingUp = false;
    }
  }

  async #deliverHistory(from: Position, upTo: Position): Promise<void> {
    const channels = this.routes.patterns();
    this.#position = from;
    for (let done = channels.length === 0; !done; ) {
      const page = await this.#history.read({
        channels,
        after: this.#position,
        origin: from,
        upTo,
        limit: CATCH_UP_PAGE,
      });
      for (const { record, gap } of page.items) {
        if (gap) this.#deliverGap(gap);
        else deliver(this.routes.route(record.channel), record);
      }
      // A failure further on must not repeat this page's gaps.
      this.#position = page.next;
      ({ done } = page);
    }
    this.#position = upTo;
  }

  #deliverGap(gap: Gap): void {
    if (gap.channel !== null) {
      const route = this.routes.route(gap.channel);
      if (gap.before - 1 <= route.last) return;
      this.routes.gap({ ...gap, after: Math.max(gap.after, route.last) });
      route.last = gap.before - 1;
    } else {
      this.routes.gap(gap);
    }
  }

  #goLive(): void {
    this.#inStep = false;
    this.#inStepAfter = this.#ticks;
    const held = this.#held.take();
    this.#live = true;
    this.routes.position(this.#position);
    for (const message of held) {
      if (this.#live) this.#handle(message);
      else this.#hold(message);
    }
    this.#opening.resolve();
    this.#requestTick(); // who adopts by now?
  }

  #receive(wire: Buffer, data: Buffer, wirePattern: string | null): void {
    const name = wire.toString('latin1');
    const message = { wire: name, data, pattern: wirePattern ?? name };
    if (this.#live) this.#handle(message);
    else this.#hold(message);
  }

  #hold(message: Message): void {
    if (!this.#held.add(message)) this.#foreign.interrupted();
  }

  #handle(message: Message): void {
    const { wire, data } = message;
    if (wire === this.#tickChannel) {
      this.#tick(message);
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
    this.#foreign.leaseHolder(holder === '' ? null : holder);
    if (holder === '') this.#requestTick();
  }

  #announced(channel: string, data: Buffer, message: Message): void {
    const head = parseHead(data);
    if (head === null || !isSound(data, channel)) {
      this.#foreignMessage(channel, data, message);
    } else if (head.log !== this.#token) {
      // Another log has taken this one's place, or somebody has made up a token.
      if (this.#mayLookAgain()) this.#lookAgain(this.#position, message);
      else this.#foreignMessage(channel, data, message);
    } else if (head.n <= this.#position && this.#inStep && this.#subscriptions.heardOnce(channel)) {
      this.#foreignMessage(channel, data, message); // a copy of an old entry, published again
    } else {
      this.#entry(channel, data, head, message);
    }
  }

  #entry(channel: string, data: Buffer, head: Head, message: Message): void {
    const route = this.routes.route(channel);
    if (head.n <= route.last) return;
    if (route.interests.length > 0 && head.prev > route.last) {
      if (this.#mayLookAgain()) {
        this.#lookAgain(route.last, message);
        return;
      }
      this.#deliverGap({
        channel,
        after: route.last,
        before: head.prev + 1,
        reason: 'trimmed',
        missed: null,
      });
    }
    if (head.n > this.#position) this.#position = head.n;
    deliver(route, new LogRecord(channel, data, head));
  }

  #foreignMessage(channel: string, data: Buffer, message: Message): void {
    if (!isChannel(channel) || isReserved(channel)) return;
    const pattern = message.pattern.slice(this.#wirePrefix.length);
    const record = this.#foreign.foreign(channel, data, pattern);
    if (!record || pattern !== this.#subscriptions.firstToHear(channel)) return;
    for (const { listener } of this.routes.route(channel).interests) listener.entry(record);
  }

  #mayLookAgain(): boolean {
    if (Date.now() - this.#lookedAt < RELEARN_MS) return false;
    this.#lookedAt = Date.now();
    return true;
  }

  /** The stream itself shows that something is wrong: hold what comes, read history, go on. */
  #lookAgain(from: Position, message: Message | null): void {
    this.#logger?.warn(
      { channel: message?.wire },
      'redis: announcements are missing, reading them from history',
    );
    this.#catchUp(from).catch((error) => {
      this.#logger?.warn(`redis: reading history failed, reconnecting: ${messageOf(error)}`);
      this.#client.redis.disconnect(true);
    });
    if (message) this.#hold(message);
  }

  #tick(message: Message): void {
    const [text, token, holder, count] = message.data.toString('latin1').split(' ');
    const [n, sent] = [Number(text), Number(count)];
    if (!Number.isSafeInteger(n) || !Number.isSafeInteger(sent)) return; // nobody's tick of ours
    if (token !== this.#token) {
      // Not held back: it would be met again after the look, and the next one comes within a second.
      if (this.#mayLookAgain()) this.#lookAgain(this.#position, null);
      return;
    }
    this.#position = Math.max(this.#position, n);
    this.#client.seen.highest = Math.max(this.#client.seen.highest, n);
    this.#foreign.leaseHolder(holder === undefined || holder === '-' ? null : holder);
    this.routes.position(this.#position);
    // Here and not in a continuation: the next message may lie in the same chunk of the socket.
    this.#returned = Math.max(this.#returned, sent);
    if (sent > this.#inStepAfter) this.#inStep = true;
    const settled = this.#settling.filter(({ tick }) => tick <= sent);
    if (settled.length === 0) return;
    this.#settling = this.#settling.filter(({ tick }) => tick > sent);
    for (const { interest, resolve } of settled) {
      this.routes.settle(interest, this.#position);
      resolve(this.#position);
    }
  }

  #failSettling(why: string): void {
    const waiting = this.#settling;
    this.#settling = [];
    for (const { reject } of waiting) reject(this.#client.unavailable(why));
  }
}
