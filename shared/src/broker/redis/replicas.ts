// Chooses a replica for connections that only read, so that the primary has less to do. Where none can be used they lead to the
// primary, and go to a replica as soon as one can: whatever happens to replicas, what is read is only slower to come.

import { AbstractConnector, type Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../logger.ts';
import type { HostAndPort } from './address.ts';
import { inFull, inWords, messageOf } from './errors.ts';
import { checkReplica } from './greeting.ts';
import { askingConnection, openSocket, reach } from './locator.ts';

/** A connection that does not end in this time is destroyed. */
const DISCONNECT_MS = 500;
/** How often a replica is looked for while connections wait for one. */
const LOOK_MS = 5_000;
/** A replica that was left is not chosen for so long: doubled each time, and from the beginning again once it has served for long enough. */
const AVOID_MS = 5_000;
const MAX_AVOID_MS = 300_000;
const GOOD_MS = 60_000;
const MAX_AVOIDED = 1_000;
const NONE = 'no replica can be read from (REDIS_FEED=replica), the primary is';

/** The connection to the server whose replicas these are. */
interface Primary {
  readonly connected: boolean;
  readonly redis: Pick<Redis, 'info'>;
  runId(): Promise<string>;
}

type Connector = NonNullable<RedisOptions['Connector']>;

export class Replicas {
  readonly #primary: Primary;
  readonly #logger: Logger | undefined;
  /** By address: for how long it is left alone, and until when. */
  readonly #avoided = new Map<string, { ms: number; until: number }>();
  /** What connections that had to take the primary do when there is a replica. */
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  /** What every connection to a replica has in common. */
  #access: RedisOptions = {};
  #warning: string | undefined;
  /** Why none can be used, as far as that is known. */
  #failure: { replica?: HostAndPort; error: unknown } | undefined;
  #closed = false;

  constructor(primary: Primary, logger: Logger | undefined) {
    this.#primary = primary;
    this.#logger = logger;
  }

  /** That no replica can be used; undefined if one can. */
  get warning(): string | undefined {
    return this.#warning;
  }

  /** The run_id of the server whose replicas these are. @throws BrokerUnavailable */
  primaryRunId(): Promise<string> {
    return this.#primary.runId();
  }

  /**
   * What leads a Redis client to a replica. `Primary` leads to the primary, which the options of the client name otherwise. `choosing` is
   * told of each replica before it is tried, and `undefined` before the primary is.
   */
  connector(Primary: Connector | undefined, choosing: (replica: HostAndPort | undefined) => void): Connector {
    const choose = (access: RedisOptions) => {
      this.#access = access;
      return this.#choose();
    };
    return class extends AbstractConnector {
      readonly #options: RedisOptions;
      readonly #primary: AbstractConnector | undefined;

      constructor(options: unknown) {
        super(DISCONNECT_MS);
        this.#options = options as RedisOptions;
        this.#primary = Primary && new Primary(options);
      }

      override async connect(emit: (type: string, error: Error) => void) {
        this.connecting = true;
        const replica = await choose(this.#options);
        if (!this.connecting) throw new Error('closed');
        choosing(replica);
        if (replica === undefined && this.#primary !== undefined) {
          this.stream = await this.#primary.connect(emit);
          return this.stream;
        }
        const { host = '127.0.0.1', port = 6379 } = replica ?? this.#options;
        this.stream = openSocket({ host, port }, this.#options.tls !== undefined);
        this.stream.once('error', (error) => {
          this.firstError = error;
        });
        return this.stream;
      }

      override disconnect() {
        this.#primary?.disconnect();
        super.disconnect();
      }
    };
  }

  /** Calls `move` once there is a replica. */
  whenUsable(move: () => void): void {
    if (this.#closed) return;
    this.#waiting.add(move);
    this.#timer ??= setInterval(() => {
      this.#look().catch((error) => this.#logger?.debug(`replicas: ${messageOf(error)}`));
    }, LOOK_MS).unref();
  }

  /** A connection to this replica has ended, or did not come about, after it had served for so long. */
  avoid({ host, port }: HostAndPort, servedMs: number): void {
    const address = `${host}:${port}`;
    const before = servedMs > GOOD_MS ? undefined : this.#avoided.get(address);
    const ms = before === undefined ? AVOID_MS : Math.min(2 * before.ms, MAX_AVOID_MS);
    if (this.#avoided.size >= MAX_AVOIDED) this.#avoided.clear();
    this.#avoided.set(address, { ms, until: performance.now() + ms });
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    clearInterval(this.#timer);
  }

  async #choose(): Promise<HostAndPort | undefined> {
    const replica = await this.#find();
    this.#tell(replica !== undefined);
    return replica;
  }

  async #look(): Promise<void> {
    if (this.#waiting.size === 0 || (await this.#find()) === undefined) return;
    const moves = [...this.#waiting];
    this.#waiting.clear();
    for (const move of moves) move();
  }

  /** One that answers, and follows the primary. They are asked in an order of chance, so that many processes spread over all of them. */
  async #find(): Promise<HostAndPort | undefined> {
    // Without an answer of the primary nothing is known of its replicas.
    if (!this.#primary.connected) return undefined;
    const info = await this.#primary.redis.info('replication').catch(() => '');
    const online = onlineReplicas(info);
    if (online.length === 0) this.#failure = { error: 'the primary names none that is online' };
    const left = online.filter(({ host, port }) => {
      const avoided = this.#avoided.get(`${host}:${port}`);
      return avoided === undefined || avoided.until <= performance.now();
    });
    while (left.length > 0 && !this.#closed) {
      const [replica] = left.splice(Math.floor(Math.random() * left.length), 1) as [HostAndPort];
      try {
        await this.#try(replica);
        this.#failure = undefined;
        return replica;
      } catch (error) {
        this.#logger?.debug(`replica ${replica.host}:${replica.port}: ${messageOf(error)}`);
        this.avoid(replica, 0);
        this.#failure = { replica, error };
      }
    }
    return undefined;
  }

  /** By a connection of its own: one that is in use is not given up for a replica that hangs. */
  async #try({ host, port }: HostAndPort): Promise<void> {
    const { username, password, tls } = this.#access;
    const access = { tls: tls !== undefined, ...(username && { username }), ...(password && { password }) };
    const redis = askingConnection({ host, port }, access, 'try');
    try {
      checkReplica(await reach(redis, () => redis.info('replication', 'persistence')));
    } finally {
      redis.disconnect();
    }
  }

  /** The log of this process names the replica. Clients learn no address. */
  #tell(isUsable: boolean): void {
    if (this.#closed) return;
    const { replica, error } = this.#failure ?? {};
    const warning = isUsable ? undefined : `${NONE}${error === undefined ? '' : ` (${inWords(error)})`}`;
    if (warning !== this.#warning) {
      const address = replica && `${replica.host}:${replica.port}: `;
      const why = error === undefined ? '' : ` (${address ?? ''}${inFull(error)})`;
      if (warning !== undefined) this.#logger?.warn(`redis: ${NONE}${why}`);
      else this.#logger?.info('redis: reading from a replica');
    }
    this.#warning = warning;
  }
}

/** Those that follow the primary without a break, from its answer to INFO: `slave0:ip=10.0.0.2,port=6379,state=online,offset=…`. */
export function onlineReplicas(info: string): HostAndPort[] {
  return [...info.matchAll(/^slave\d+:ip=([^,\s]+),port=(\d+),state=online,/gm)].map(([, host, port]) => ({
    host: host as string,
    port: Number(port),
  }));
}
