// Finds the server that the log is written on, where that changes, and tells when it is another one. While nobody answers who knows,
// what was known last stays.

import { connect as connectTcp } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../logger.ts';
import type { HostAndPort } from './address.ts';
import { messageOf } from './errors.ts';

/** Who takes longer to answer is passed over. */
const ANSWER_MS = 1_000;
/** How often the server is asked for, from the first listener on: news of a failover can be lost. */
const LOOK_MS = 1_000;
/** A connection that does not end in this time is destroyed. */
const DISCONNECT_MS = 500;

/** How one kind of server is spoken to. */
export interface Access {
  tls: boolean;
  username?: string;
  password?: string;
  db?: number;
}

export abstract class Locator {
  /** What names the servers, for the words in which one is refused. */
  abstract readonly kind: 'sentinel' | 'cluster';
  protected readonly logger: Logger | undefined;
  readonly #access: Access;
  readonly #listeners = new Set<(primary: HostAndPort) => void>();
  #timer: NodeJS.Timeout | undefined;
  #primary: HostAndPort | undefined;
  #look: Promise<HostAndPort> | undefined;
  #closed = false;

  /** `access` is to the servers that hold the log. */
  constructor(access: Access, logger: Logger | undefined) {
    this.#access = access;
    this.logger = logger;
  }

  /** Asks those who know, one after another. @throws Error whose cause says what each of them did */
  protected abstract ask(): Promise<HostAndPort>;

  /** The server that was named last has turned out not to be it. */
  abstract doubt(): void;

  /** What a Redis client needs to reach the primary, wherever that is. `connecting` is told of each server before it is tried. */
  connection(
    connecting: (primary: HostAndPort) => void,
  ): Pick<RedisOptions, 'db' | 'username' | 'password' | 'tls' | 'Connector'> {
    const access = this.#access;
    const find = () => this.find();
    const known = () => this.primary;
    class Connector extends AbstractConnector {
      #left: Connector['stream'] | undefined;

      constructor() {
        super(DISCONNECT_MS);
      }

      /** ioredis calls it for each of the commands on the way that is refused. */
      override disconnect() {
        if (this.stream !== undefined && this.stream === this.#left) return;
        this.#left = this.stream;
        super.disconnect();
      }

      /** ioredis gives up for ever if this fails, so that it goes on until somebody answers. */
      override async connect(emit: (type: string, error: Error) => void) {
        this.connecting = true;
        let primary: HostAndPort | undefined;
        while (primary === undefined) {
          primary = await find().catch((error) => {
            // It may be the primary still, and who connects asks it: one that is a replica by now is refused.
            if (known() === undefined) emit('error', error);
            return known();
          });
          if (primary === undefined) await setTimeout(LOOK_MS);
          if (!this.connecting) throw new Error('closed');
        }
        connecting(primary);
        this.stream = openSocket(primary, access.tls);
        this.stream.once('error', (error) => {
          this.firstError = error;
        });
        return this.stream;
      }
    }
    return { ...accessOptions(access), Connector };
  }

  /** Calls `listener` with each primary that takes the place of another, from the first listener on. */
  onMove(listener: (primary: HostAndPort) => void): void {
    this.#listeners.add(listener);
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setInterval(() => {
      this.find().catch((error) => this.logger?.debug(`${this.kind}: ${messageOf(error)}`));
    }, LOOK_MS).unref();
  }

  /** Who asks while somebody else does gets the same answer. @throws Error whose cause says what each of those asked did */
  find(): Promise<HostAndPort> {
    this.#look ??= this.ask()
      .then((primary) => {
        this.learn(primary);
        return primary;
      })
      .finally(() => {
        this.#look = undefined;
      });
    return this.#look;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  /** The server that was found last. */
  protected get primary(): HostAndPort | undefined {
    return this.#primary;
  }

  protected get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether somebody waits for news. */
  protected get isWatching(): boolean {
    return this.#timer !== undefined && !this.#closed;
  }

  protected learn(primary: HostAndPort): void {
    const before = this.#primary;
    this.#primary = primary;
    if (before === undefined || isSame(before, primary)) return;
    this.logger?.warn(`redis: the primary is ${primary.host}:${primary.port} now`);
    for (const listener of this.#listeners) listener(primary);
  }
}

export function isSame(one: HostAndPort, other: HostAndPort): boolean {
  return one.host === other.host && one.port === other.port;
}

/**
 * A connection by which somebody is asked where the log is written. Each attempt to connect is made by who asks, so that one that
 * fails is passed over at once.
 */
export function askingConnection({ host, port }: HostAndPort, access: Access, label: string): Redis {
  const redis = new Redis({
    host,
    port,
    ...accessOptions(access),
    protocol: 2,
    lazyConnect: true,
    connectionName: `llm-streamer-${label}`,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  redis.on('error', () => undefined); // `reach` fails, and says why
  return redis;
}

/**
 * Connects, unless it is connected, and asks. @throws Error that says what is wrong there, where ioredis says only that the connection is
 * closed
 */
export async function reach<Answer>(redis: Redis, ask: () => Promise<Answer>): Promise<Answer> {
  let why: Error | undefined;
  const hear = (error: Error) => {
    why ??= error;
  };
  redis.on('error', hear);
  try {
    if (redis.status !== 'ready') await redis.connect();
    return await ask();
  } catch (error) {
    throw why ?? error;
  } finally {
    redis.off('error', hear);
  }
}

function accessOptions({
  tls,
  username,
  password,
  db,
}: Access): Pick<RedisOptions, 'db' | 'username' | 'password' | 'tls'> {
  return {
    ...(db !== undefined && { db }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }), // by this ioredis knows which event of the socket to wait for
  };
}

export function openSocket({ host, port }: HostAndPort, tls: boolean) {
  return tls ? connectTls({ host, port }) : connectTcp({ host, port });
}
