// Asks Sentinels which server is the primary now, and hears when it is another one. While no Sentinel answers, what was known last stays.

import { connect as connectTcp } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../logger.ts';
import type { HostAndPort, SentinelAddress } from './address.ts';
import { messageOf } from './errors.ts';

/** A Sentinel that takes longer to answer is passed over. */
const ANSWER_MS = 1_000;
/** How often the primary is asked for, from the first listener on: news of a failover can be lost. */
const LOOK_MS = 1_000;
/** A connection that does not end in this time is destroyed. */
const DISCONNECT_MS = 500;

export class Sentinels {
  readonly #address: SentinelAddress;
  /** The one that answered last is the first. */
  readonly #sentinels: HostAndPort[];
  readonly #logger: Logger | undefined;
  /** A connection to each, made when it is first asked. */
  readonly #asked = new Map<HostAndPort, Redis>();
  readonly #listeners = new Set<(primary: HostAndPort) => void>();
  /** Hears of failovers, from the Sentinel that answered last. */
  #news: Redis | undefined;
  #timer: NodeJS.Timeout | undefined;
  #primary: HostAndPort | undefined;
  #look: Promise<HostAndPort> | undefined;
  #closed = false;

  constructor(address: SentinelAddress, logger: Logger | undefined) {
    this.#address = address;
    this.#sentinels = [...address.sentinels];
    this.#logger = logger;
  }

  /** What a Redis client needs to reach the primary, wherever that is. `connecting` is told of each server before it is tried. */
  connection(
    connecting: (primary: HostAndPort) => void,
  ): Pick<RedisOptions, 'db' | 'username' | 'password' | 'tls' | 'Connector'> {
    const { username, password, db, tls } = this.#address;
    const find = () => this.find();
    class Connector extends AbstractConnector {
      constructor() {
        super(DISCONNECT_MS);
      }

      /** ioredis gives up for ever if this fails, so that it goes on until a Sentinel answers. */
      override async connect(emit: (type: string, error: Error) => void) {
        this.connecting = true;
        let primary: HostAndPort | undefined;
        while (primary === undefined) {
          primary = await find().catch((error) => {
            emit('error', error);
            return undefined;
          });
          if (primary === undefined) await setTimeout(LOOK_MS);
          if (!this.connecting) throw new Error('closed');
        }
        connecting(primary);
        this.stream = openSocket(primary, tls);
        this.stream.once('error', (error) => {
          this.firstError = error;
        });
        return this.stream;
      }
    }
    return {
      db,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls && { tls: {} }), // by this ioredis knows which event of the socket to wait for
      Connector,
    };
  }

  /** Calls `listener` with each primary that takes the place of another, from the first listener on. */
  onMove(listener: (primary: HostAndPort) => void): void {
    this.#listeners.add(listener);
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setInterval(() => {
      this.find().catch((error) => this.#logger?.debug(`sentinel: ${messageOf(error)}`));
    }, LOOK_MS).unref();
  }

  /** Asks one Sentinel after another. Who asks meanwhile gets the same answer. @throws Error whose cause says what each of them did */
  find(): Promise<HostAndPort> {
    this.#look ??= this.#askInTurn().finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  async #askInTurn(): Promise<HostAndPort> {
    const failures: string[] = [];
    for (const sentinel of [...this.#sentinels]) {
      // Nobody would end a connection that is made from now on.
      if (this.#closed) throw new Error('closed');
      try {
        const primary = await this.#ask(sentinel);
        this.#prefer(sentinel);
        this.#learn(primary);
        return primary;
      } catch (error) {
        failures.push(`${sentinel.host}:${sentinel.port}: ${messageOf(error)}`);
      }
    }
    throw new Error('no Sentinel says where the primary is', { cause: failures.join('; ') });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#news?.disconnect();
    for (const redis of this.#asked.values()) redis.disconnect();
  }

  async #ask(sentinel: HostAndPort): Promise<HostAndPort> {
    let redis = this.#asked.get(sentinel);
    if (redis === undefined) {
      redis = this.#open(sentinel);
      this.#asked.set(sentinel, redis);
    }
    if (redis.status !== 'ready') await redis.connect();
    const { master } = this.#address;
    const answer = await redis.call('SENTINEL', 'get-master-addr-by-name', master);
    if (!Array.isArray(answer)) throw new Error(`it knows no ${JSON.stringify(master)}`);
    const [host, port] = answer.map(String);
    if (host === undefined || !Number.isInteger(Number(port)))
      throw new Error('it does not answer as a Sentinel does');
    return { host, port: Number(port) };
  }

  /** Each attempt to connect is made by `#ask`, so that one that fails is passed over at once. */
  #open({ host, port }: HostAndPort): Redis {
    const { sentinelUsername, sentinelPassword, sentinelTls } = this.#address;
    const redis = new Redis({
      host,
      port,
      ...(sentinelUsername !== undefined && { username: sentinelUsername }),
      ...(sentinelPassword !== undefined && { password: sentinelPassword }),
      ...(sentinelTls && { tls: {} }),
      protocol: 2,
      lazyConnect: true,
      connectionName: 'llm-streamer-sentinel',
      connectTimeout: ANSWER_MS,
      commandTimeout: ANSWER_MS,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    redis.on('error', () => undefined); // the command that needed the connection fails, and says why
    return redis;
  }

  /** The one that has answered is asked first from now on, and brings the news. */
  #prefer(sentinel: HostAndPort): void {
    if (this.#sentinels[0] !== sentinel) {
      this.#sentinels.splice(this.#sentinels.indexOf(sentinel), 1);
      this.#sentinels.unshift(sentinel);
      this.#news?.disconnect();
      this.#news = undefined;
    }
    if (this.#timer === undefined || this.#closed || this.#news?.status === 'ready') return;
    this.#news?.disconnect();
    const news = this.#open(sentinel);
    this.#news = news;
    news.on('message', (_channel, text: string) => this.#hear(text));
    const failed = (error: unknown) => this.#logger?.debug(`sentinel: ${messageOf(error)}`);
    news
      .connect()
      .then(() => news.subscribe('+switch-master'))
      .catch(failed);
  }

  /** `<name> <old host> <old port> <new host> <new port>` */
  #hear(text: string): void {
    const [master, , , host, port] = text.split(' ');
    if (master === this.#address.master && host !== undefined && Number.isInteger(Number(port)))
      this.#learn({ host, port: Number(port) });
  }

  #learn(primary: HostAndPort): void {
    const before = this.#primary;
    this.#primary = primary;
    if (before === undefined || isSame(before, primary)) return;
    this.#logger?.warn(`redis: the primary is ${primary.host}:${primary.port} now`);
    for (const listener of this.#listeners) listener(primary);
  }
}

export function isSame(one: HostAndPort, other: HostAndPort): boolean {
  return one.host === other.host && one.port === other.port;
}

function openSocket({ host, port }: HostAndPort, tls: boolean) {
  return tls ? connectTls({ host, port }) : connectTcp({ host, port });
}
