// One connection to Redis that knows which server process it talks to. While no connection is up commands fail at once: nothing is
// queued, and nothing is sent a second time. A command that was sent to a server that hangs fails after a while and may still run: its
// caller does not know the outcome (BrokerUnavailable).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ChainableCommander, Redis, type RedisOptions } from 'ioredis';
import { BrokerUnavailable, CodedError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { newLogToken } from '../log-token.ts';
import type { HostAndPort } from './address.ts';
import { codeOf, inFull, inWords, NO_TLS } from './errors.ts';
import { readGreeting } from './greeting.ts';
import type { RedisKeys } from './keys.ts';
import { locate, type Place } from './locate.ts';
import { isSame, Locator } from './locator.ts';
import type { Replicas } from './replicas.ts';

/** A command fails if Redis does not answer within this time. Its outcome is then unknown. */
const COMMAND_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_BACKOFF_MS = 2_000;
/** Who needs a connection waits so long for it where somebody must be asked first where it leads. */
const LOCATED_MS = 3_000;
/** After a connection that served for at least this long, the pauses between attempts to connect begin small again. */
const GOOD_MS = 5_000;
/** The same complaint is logged at most once in this time. */
const REPEAT_MS = 60_000;
const MAX_COMPLAINTS = 100;
const HUNG_UP = 'it closes connections without an answer: does it want TLS (rediss://)?';
/** The log's own refusals, which callers expect and handle. */
const EXPECTED = ['LEASELOST', 'TOOMANYCHANNELS', 'OOM', 'MUSTWRITE'];

export { messageOf } from './errors.ts';

const prelude = readFileSync(new URL('./lua/log.lua', import.meta.url), 'utf8');
const MEND = loadScript('mend', 'allow-oom');

/** What a process knows of the log's positions, shared by its connections. */
export interface Seen {
  /**
   * The highest: of its own appends, of the log's state, and of what was delivered to its listeners. A log that must be created begins
   * above it, and one that went back goes on above it.
   */
  highest: number;
  /** The highest at which it knows an entry to have been stored, in the log with `token`. If that log has not come so far it has lost the entry. */
  stored: number;
  token: string;
}

export function nothingSeen(): Seen {
  return { highest: 0, stored: 0, token: '' };
}

/** An entry was stored at `position` of the log with `token`. */
export function noteStored(seen: Seen, position: number, token: string): void {
  seen.highest = Math.max(seen.highest, position);
  seen.stored = seen.token === token ? Math.max(seen.stored, position) : position;
  seen.token = token;
}

export class RedisClient {
  readonly redis: Redis;
  readonly seen: Seen;
  readonly #label: string;
  readonly #logger: Logger | undefined;
  readonly #locator: Locator | undefined;
  readonly #ownsLocator: boolean;
  /** Where the present connection leads, if a locator has said so. */
  #primary: HostAndPort | undefined;
  readonly #replicas: Replicas | undefined;
  /** The replica to which the present connection leads. */
  #replica: HostAndPort | undefined;
  /** Of the server that the log is written on; of a replica, that is not the server itself. */
  #runId: string | undefined;
  #arrival: PromiseWithResolvers<string> | undefined;
  #lastError: unknown = 'not connected yet';
  /** This attempt to connect has failed. Further errors are only consequences of the first one. */
  #failed = false;
  #identifiedAt = 0;
  #attempts = 0;
  #closed = false;
  /** Set while the log is being opened: then the caller reports what is wrong. */
  quiet = false;
  readonly #complaints = new Map<string, number>();

  /**
   * `where` is the URL of one server, the place of a log, or a locator that several connections share. `label` names this connection in
   * CLIENT LIST and in log lines.
   * With `replicas` it leads to one of them, if it can.
   */
  constructor(
    where: string | Place | Locator,
    label: string,
    logger: Logger | undefined,
    seen: Seen = nothingSeen(),
    replicas?: Replicas,
  ) {
    this.#label = label;
    this.#replicas = replicas;
    this.#logger = logger;
    this.seen = seen;
    const found = typeof where === 'string' || where instanceof Locator ? where : locate(where, logger);
    this.#ownsLocator = found !== where;
    const options = {
      protocol: 2,
      lazyConnect: true,
      connectionName: `llm-streamer-${label}`,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      // `#greet` reads INFO itself, and checks more than whether Redis has loaded its data.
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => this.#pause(),
      // A master that has become a replica keeps its connections and refuses writes. A new connection may find the new master.
      // So it is where the slot of the log belongs to another node of a Cluster by now.
      reconnectOnError: (error) => /^(READONLY|MOVED) /.test(error.message),
    } satisfies RedisOptions;
    if (typeof found === 'string') {
      this.redis = new Redis(found, { ...options, ...this.#preferReplicas({}) });
    } else {
      this.#locator = found;
      const connecting = (primary: HostAndPort) => {
        this.#primary = primary;
      };
      this.redis = new Redis({ ...options, ...this.#preferReplicas(found.connection(connecting)) });
      found.onMove((primary) => this.#move(primary));
    }
    this.redis.on('connecting', () => {
      this.#failed = false;
    });
    this.redis.on('error', (error: NodeJS.ErrnoException) => {
      const hungUp = this.#runId === undefined && error.code === 'ECONNRESET';
      this.#failure(hungUp ? new Error(HUNG_UP) : error);
    });
    this.redis.on('ready', () => this.#greet().catch((error) => this.reconnect(error)));
    // A node of a Cluster ends each subscription to a slot that is another's now, and each is told of.
    this.redis.on('moved', () => this.reconnect(new Error('another node owns the slot of the log now')));
    this.redis.on('close', () => {
      if (this.#runId === undefined) this.#locator?.doubt();
      if (this.#runId === undefined && !this.#closed) this.#failure(new Error(HUNG_UP));
      else if (performance.now() - this.#identifiedAt > GOOD_MS) this.#attempts = 0;
      if (this.#replica !== undefined) {
        const servedMs = this.#runId === undefined ? 0 : performance.now() - this.#identifiedAt;
        this.#replicas?.avoid(this.#replica, servedMs);
        this.#replica = undefined;
      }
      this.#runId = undefined;
    });
  }

  get connected(): boolean {
    return this.#runId !== undefined;
  }

  /** Whether this connection leads to a replica, which only passes on what is written elsewhere. */
  get onReplica(): boolean {
    return this.#replica !== undefined && this.connected;
  }

  /** Why there is no connection, in words for clients. */
  get lastError(): string {
    return inWords(this.#lastError);
  }

  /** The same for the log of this process. If nothing has failed yet, what it is waiting for. */
  get complaint(): string {
    if (this.#lastError instanceof Error) return this.#inFull(this.#lastError);
    const { status, options } = this.redis;
    if (status === 'connect') return 'something accepts connections there, but does not answer: is it Redis?';
    return options.tls === undefined ? 'nothing answers there' : NO_TLS;
  }

  /** Connects, and tries until it succeeds. Resolves with the run_id of the server that the log is written on. */
  arrival(): Promise<string> {
    if (this.#runId !== undefined) return Promise.resolve(this.#runId);
    if (this.redis.status === 'wait') this.redis.connect().catch(() => this.#lastError);
    this.#arrival ??= Promise.withResolvers<string>();
    return this.#arrival.promise;
  }

  /** The run_id of the server that the log is written on. @throws BrokerUnavailable if there is no connection within `patienceMs`. */
  async runId(patienceMs = this.#locator === undefined ? 1_000 : LOCATED_MS): Promise<string> {
    if (this.#runId !== undefined) return this.#runId;
    const { promise, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(this.unavailable(this.#lastError)), patienceMs);
    return Promise.race([this.arrival(), promise]).finally(() => clearTimeout(timer));
  }

  /** Runs one of the log's scripts. If that finds numbers which another program has changed, they are repaired first. */
  async runScript(script: Script, keys: RedisKeys, args: readonly (string | number)[]): Promise<unknown> {
    const header = await this.#header(keys);
    try {
      return await this.#run(script, header, args);
    } catch (error) {
      if (codeOf(error) !== 'LOGSTATE') throw this.reportRefusal(error);
      const repairs = await this.#run(MEND, header, []);
      // Nothing is left to repair if another connection was faster.
      if (repairs !== '') this.#logger?.warn(`redis: mended ${repairs}`);
      return await this.#run(script, header, args);
    }
  }

  /**
   * A pipeline that begins with one of the log's scripts. It is sent in one write. Redis reads that as a whole, and serves no
   * other client in between.
   */
  async scriptPipeline(
    script: Script,
    keys: RedisKeys,
    args: readonly (string | number)[],
  ): Promise<ChainableCommander> {
    const header = await this.#header(keys);
    return this.redis.pipeline().eval(script.text, 1, ...header, ...args);
  }

  /** Gives this connection up, because something that is needed failed on it, and connects anew after a pause. */
  reconnect(error: unknown): void {
    this.#failure(error);
    this.redis.disconnect(true);
  }

  /** Logs what Redis refuses to do, and keeps it as the reason in `lastError`. Returns the error. */
  reportRefusal(error: unknown): unknown {
    const code = codeOf(error);
    if (code === '' || EXPECTED.includes(code)) return error;
    this.#lastError = error;
    this.#complain(this.#inFull(error));
    return error;
  }

  unavailable(cause: unknown): CodedError {
    if (cause instanceof CodedError) return cause;
    return new BrokerUnavailable(`the log cannot be reached (${inWords(cause)})`, cause);
  }

  /**
   * Connects anew if the server process that the log is written on, as this connection has learned it, is another one than that with
   * `runId`. Tells whether it was the same.
   */
  isOn(runId: string): boolean {
    if (this.#runId === runId) return true;
    if (this.#runId !== undefined) this.reconnect(new Error('the log is written on another server by now'));
    return false;
  }

  close(): void {
    this.#closed = true;
    if (this.#ownsLocator) this.#locator?.close();
    this.#arrival?.promise.catch(() => undefined);
    this.#arrival?.reject(this.unavailable('closed'));
    this.redis.disconnect();
  }

  /** A server that hangs would keep an orderly end waiting, and answer later as if it were the primary still. */
  #move(primary: HostAndPort): void {
    if (this.#primary === undefined || isSame(this.#primary, primary) || this.#closed) return;
    this.#failure(new Error('another server is the primary now'));
    this.redis.stream?.destroy();
  }

  #preferReplicas<Options extends Pick<RedisOptions, 'Connector'>>(options: Options): Options {
    const replicas = this.#replicas;
    if (replicas === undefined) return options;
    const move = () => {
      if (this.#replica === undefined && !this.#closed) this.redis.disconnect(true);
    };
    const Connector = replicas.connector(options.Connector, (replica) => {
      this.#replica = replica;
      if (replica === undefined) replicas.whenUsable(move);
      else this.#primary = undefined;
    });
    return { ...options, Connector };
  }

  async #header({ prefix, announce }: RedisKeys): Promise<string[]> {
    const runId = await this.runId();
    const { highest, stored, token } = this.seen;
    return [prefix, announce, runId, `${newLogToken()}${highest}:${stored}:${token}`];
  }

  async #run(script: Script, header: string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.redis.evalsha(script.sha, 1, ...header, ...args);
    } catch (error) {
      if (codeOf(error) !== 'NOSCRIPT') throw error;
      return await this.redis.eval(script.text, 1, ...header, ...args);
    }
  }

  #failure(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#lastError = error;
    // Before the first connection the caller reports that there is none.
    if (this.#identifiedAt > 0) this.#complain(this.#inFull(error));
  }

  /** Where the URL does not name the server that has answered, so that somebody may take its password for that of who named it. */
  #inFull(error: unknown): string {
    const text = inFull(error);
    if (this.#primary === undefined || !(error instanceof Error) || error.name !== 'ReplyError') return text;
    const { host, port } = this.#primary;
    const isOfPassword = ['WRONGPASS', 'NOAUTH'].includes(codeOf(error));
    const by = this.#locator?.kind === 'cluster' ? 'the Cluster' : 'the Sentinels';
    const whose = isOfPassword ? '; user and password of the servers stand before the @ of the URL' : '';
    return `${host}:${port}, named by ${by}: ${text}${whose}`;
  }

  #complain(text: string): void {
    if (this.quiet) return;
    const now = performance.now();
    if (now - (this.#complaints.get(text) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    if (this.#complaints.size >= MAX_COMPLAINTS) this.#complaints.clear();
    this.#complaints.set(text, now);
    this.#logger?.warn({ connection: this.#label }, `redis: ${text}`);
  }

  /** Milliseconds until the next attempt: doubled each time, and random in part, so that many processes do not come at once. */
  #pause(): number {
    const longest = Math.min(MAX_BACKOFF_MS, 50 * 2 ** Math.min(this.#attempts++, 10));
    return longest * (0.5 + Math.random() / 2);
  }

  async #greet(): Promise<void> {
    const { db } = this.redis.options;
    // ioredis has sent SELECT already, but ignores a refusal. The log would then be in database 0.
    if (db) await this.redis.select(db);
    const runId =
      (this.#replica && (await this.#replicas?.primaryRunId())) ??
      readGreeting(await this.redis.info(), this.#locator?.kind);
    this.#runId = runId;
    this.#identifiedAt = performance.now();
    this.#arrival?.resolve(runId);
    this.#arrival = undefined;
    this.redis.emit('identified');
  }
}

export interface Script {
  text: string;
  sha: string;
}

/**
 * Loads a script by its name in `lua/` or by its address, and puts the log's functions in front of it. With `allow-oom` it runs
 * also when the memory of Redis is full; with `no-writes` also where Redis takes no writes at all, and it may make none.
 */
export function loadScript(script: string | URL, flags: '' | 'allow-oom' | 'no-writes'): Script {
  const address = typeof script === 'string' ? new URL(`./lua/${script}.lua`, import.meta.url) : script;
  const body = readFileSync(address, 'utf8');
  const text = `#!lua${flags && ` flags=${flags}`}\n${prelude}\n${body}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
