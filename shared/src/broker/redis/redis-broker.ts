// The log in Redis, for any number of processes. The broker of a process has three connections, however many readers it has:
// subscriptions, commands, and history; and a fourth where it reads from a replica. append.lua guarantees the order of entries; live/feed.ts guarantees that a listener
// gets each entry or a gap that names it, as far as the log can know it.

import { randomBytes } from 'node:crypto';
import { DEFAULT_ENTRY_BYTES, type Draft } from '../../entry.ts';
import { BrokerUnavailable } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { settledWithin } from '../../settled-within.ts';
import type {
  Broker,
  BrokerStatus,
  ChannelInfo,
  Listener,
  Page,
  ReadQuery,
  Subscription,
  WriterStamp,
} from '../broker.ts';
import type { DeliveryGuard } from '../delivery-guard.ts';
import { rollbackAt } from '../log-state.ts';
import { type Position, positionAt } from '../position.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from '../retention.ts';
import { isClusterUrl } from './address.ts';
import { RedisAppend } from './append.ts';
import { RedisCheckup } from './checkup.ts';
import { loadScript, messageOf, nothingSeen, RedisClient, type Seen } from './client.ts';
import { inFull } from './errors.ts';
import { RedisHistory } from './history.ts';
import { RedisJanitor } from './janitor.ts';
import { DEFAULT_NAMESPACE, RedisKeys } from './keys.ts';
import { RedisAdopter } from './live/adopter.ts';
import { RedisFeed } from './live/feed.ts';
import { RedisHeartbeat } from './live/heartbeat.ts';
import { RedisSubscriptions } from './live/subscriptions.ts';
import { SILENT } from './live/ticks.ts';
import { locate } from './locate.ts';
import type { Locator } from './locator.ts';
import { ReplicaReads } from './replica-reads.ts';
import { Replicas } from './replicas.ts';

const RELEASE = loadScript('release', 'allow-oom');
const LEFT = loadScript('left', 'allow-oom');
const CLOSE_MS = 1_000;
/** A process that ends takes at most this long to store messages that it has heard as the adopter. */
const ADOPT_REST_MS = 2_000;

export interface RedisBrokerOptions {
  url: string;
  namespace?: string;
  retention?: RetentionPolicy;
  entryBytes?: number;
  /** Whether what is published here is repeated on plain channels; by default only in the default namespace. */
  plainChannels?: boolean;
  /** Patterns of channels whose foreign messages this process may adopt. None by default. */
  adopt?: readonly string[];
  /** Channels whose foreign messages are neither adopted nor shown: what stands there must be this log's own. */
  ignore?: readonly string[];
  /** Whether live entries and history are read from a replica, where one can be used. Not of a log in a Cluster. */
  fromReplica?: boolean;
  logger?: Logger;
}

export class RedisBroker implements Broker {
  readonly #keys: RedisKeys;
  readonly #where: string | Locator;
  readonly #commands: RedisClient;
  readonly #reads: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #replicas: Replicas | undefined;
  readonly #replicaReads: RedisClient | undefined;
  readonly #append: RedisAppend;
  readonly #history: RedisHistory;
  readonly #feed: RedisFeed;
  readonly #adopter: RedisAdopter;
  readonly #heartbeat: RedisHeartbeat;
  readonly #checkup: RedisCheckup;
  readonly #logger: Logger | undefined;
  /** What one of the clients of this process knows, all do. */
  readonly #seen: Seen = nothingSeen();
  /** Settled once the broker listens, or cannot. */
  #listening: Promise<void> = Promise.resolve();

  /** Connects when first used. */
  constructor(options: RedisBrokerOptions) {
    const { url, namespace = DEFAULT_NAMESPACE, retention = DEFAULT_RETENTION, logger } = options;
    const keys = new RedisKeys(namespace, options.plainChannels, isClusterUrl(url));
    this.#keys = keys;
    this.#logger = logger;
    const instance = randomBytes(4).toString('hex');
    const seen = this.#seen;
    const where = locate({ url, namespace }, logger);
    this.#where = where;
    this.#commands = new RedisClient(where, 'commands', logger, seen);
    this.#reads = new RedisClient(where, 'history', logger, seen);
    this.#append = new RedisAppend(this.#commands, keys, retention);
    this.#replicas = options.fromReplica ? new Replicas(this.#commands, logger) : undefined;
    this.#replicaReads = this.#replicas && new RedisClient(where, 'replica', logger, seen, this.#replicas);
    const replica = this.#replicaReads && new ReplicaReads(this.#replicaReads, keys);
    this.#history = new RedisHistory(this.#reads, keys, replica);
    this.#adopter = new RedisAdopter({
      append: this.#append,
      instance,
      patterns: options.adopt ?? [],
      entryBytes: options.entryBytes ?? DEFAULT_ENTRY_BYTES,
      logger,
    });
    const subscriber = new RedisClient(where, 'subscriber', logger, seen, this.#replicas);
    this.#subscriber = subscriber;
    this.#checkup = new RedisCheckup(this.#commands, keys, logger);
    this.#feed = new RedisFeed({
      client: subscriber,
      subscriptions: new RedisSubscriptions(subscriber, keys, options.adopt ?? [], logger),
      // An own queue of pages, so that live entries never wait for viewers who read history over very many channels.
      history: new RedisHistory(this.#reads, keys, replica),
      foreign: this.#adopter,
      ignore: options.ignore ?? [],
      logger,
      keys,
      instance,
      firstTick: (client) => this.#heartbeat.firstTick(client),
      tickWithoutLease: () => this.#heartbeat.sendWithoutLease(),
      requestTick: () => this.#heartbeat.sendTick(),
    });
    this.#heartbeat = new RedisHeartbeat({
      commands: this.#commands,
      readers: [this.#reads, subscriber, ...(this.#replicaReads ? [this.#replicaReads] : [])],
      keys,
      feed: this.#feed,
      adopter: this.#adopter,
      janitor: new RedisJanitor(this.#commands, keys, retention, logger),
      candidate: (options.adopt?.length ?? 0) > 0 ? instance : '',
      logger,
    });
  }

  /**
   * Connects and begins to listen. @throws BrokerUnavailable if that takes longer than `patienceMs`; its message says in full
   * why, for the operator who starts the process.
   */
  async open(patienceMs: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    const clients = [this.#commands, this.#reads, this.#subscriber];
    for (const client of clients) client.quiet = true;
    const timer = setTimeout(() => late.reject(this.#obstacle().complaint), patienceMs);
    try {
      await Promise.race([this.#begin(), late.promise]);
    } catch (error) {
      const why = typeof error === 'string' ? error : inFull(error);
      throw new BrokerUnavailable(`the log cannot be reached: ${why}`, error);
    } finally {
      clearTimeout(timer);
      for (const client of clients) client.quiet = false;
    }
  }

  async #begin(): Promise<void> {
    await Promise.all([this.#commands.arrival(), this.#reads.arrival()]);
    this.#replicaReads?.arrival().catch(() => undefined);
    await this.#checkup.start();
    await this.#listen();
  }

  /** The first connection that is not up. */
  #obstacle(): RedisClient {
    return [this.#commands, this.#reads].find(({ connected }) => !connected) ?? this.#subscriber;
  }

  /** From now on nothing is delivered, and no history is read, but what `guard` lets through. */
  guard(guard: DeliveryGuard): void {
    this.#feed.guard(guard);
    this.#history.guard = guard;
    this.#reads.redis.on('identified', () => guard.invalidate());
  }

  /**
   * A connection for a part of this process that keeps something beside the log. It goes where the broker's connections go, and all know the
   * same positions. The part closes it, before the broker is closed.
   */
  client(label: string): RedisClient {
    return new RedisClient(this.#where, label, this.#logger, this.#seen);
  }

  publish(drafts: readonly Draft[], stamp?: WriterStamp): Promise<(string | null)[]> {
    return this.#append.appendBatch(drafts, stamp);
  }

  async subscribe(patterns: readonly string[], listener: Listener): Promise<Subscription> {
    if (!this.#heartbeat.isBeating) await this.#listen();
    return this.#feed.subscribe(patterns, listener);
  }

  async readPage(query: ReadQuery): Promise<Page> {
    return this.#readOrUnavailable(() => this.#history.readPage(query));
  }

  async head(): Promise<Position> {
    return (await this.#readOrUnavailable(() => this.#history.state())).head;
  }

  async positionAtTime(time: number): Promise<Position> {
    const state = await this.#readOrUnavailable(() => this.#history.state());
    // Only a leap brings positions ahead of the clock.
    const ahead =
      state.rollbacks.length === 0
        ? undefined
        : await this.#readOrUnavailable(() => this.#history.headAhead(time));
    const position = Math.min(state.head, Math.max(state.start, ahead ?? positionAt(time)));
    // A cursor among lost positions proves that its reader has seen lost entries. A time proves nothing of that kind.
    return rollbackAt(state, position)?.restored ?? position;
  }

  async channels(pattern: string): Promise<ChannelInfo[]> {
    return this.#readOrUnavailable(() => this.#history.channels(pattern));
  }

  status(): BrokerStatus {
    const silent = this.#heartbeat.isBeating && this.#feed.isLive && this.#feed.isSilent;
    const isFed = !this.#heartbeat.isBeating || (this.#feed.isLive && !silent);
    const { fault } = this.#checkup;
    const warnings = [this.#checkup.warning, this.#replicas?.warning].filter((text) => text !== undefined);
    const ready = this.#commands.connected && this.#reads.connected && isFed && fault === undefined;
    const why = fault ?? (silent ? SILENT : this.#obstacle().lastError);
    return {
      ready,
      ...(!ready && { reason: `Redis: ${why}` }),
      ...(warnings.length > 0 && { warning: warnings.join('; ') }),
      reconnects: this.#feed.reconnects,
      adopted: this.#adopter.adopted,
    };
  }

  async close(): Promise<void> {
    // A process that is beginning to listen may hold the lease already, and have heard messages that only it can store.
    if (this.#subscriber.connected) await settledWithin(this.#listening, CLOSE_MS);
    this.#heartbeat.stop();
    this.#checkup.stop();
    const { lease } = this.#adopter;
    // Given back, so that the next adopter need not wait for the lease to expire.
    const isHandedOver = lease !== '' && this.#commands.connected && this.#feed.isAttached;
    const release = [lease, CLOSE_MS + ADOPT_REST_MS, this.#checkup.hasReplicas ? '1' : ''];
    if (isHandedOver)
      await this.#adopter
        .resign(() => this.#commands.runScript(RELEASE, this.#keys, release), CLOSE_MS)
        .then(() => this.#feed.unsubscribeAll(CLOSE_MS))
        .catch((error) => this.#logger?.debug(messageOf(error)));
    const isComplete = await this.#adopter.close(ADOPT_REST_MS);
    if (isHandedOver && isComplete)
      await this.#commands
        .runScript(LEFT, this.#keys, [lease])
        .catch((error) => this.#logger?.debug(messageOf(error)));
    this.#replicas?.close();
    this.#feed.close();
    this.#replicaReads?.close();
    this.#commands.close();
    this.#reads.close();
    if (typeof this.#where !== 'string') this.#where.close();
  }

  #listen(): Promise<void> {
    this.#heartbeat.start();
    this.#listening = this.#feed.open();
    return this.#listening;
  }

  async #readOrUnavailable<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw this.#reads.unavailable(error);
    }
  }
}
