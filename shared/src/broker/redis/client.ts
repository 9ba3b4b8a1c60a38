// One connection to Redis that knows which server process it talks to. A command runs on the connection it was meant
// for or fails at once; nothing is queued while the server is away, and nothing is sent again by itself.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ChainableCommander, Redis } from 'ioredis';
import { BrokerUnavailable, CodedError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { newLogToken } from '../log-token.ts';
import { codeOf, inFull, inWords } from './errors.ts';
import { readGreeting } from './greeting.ts';
import type { RedisKeys } from './keys.ts';

/** A server that does not answer within this is treated as away; the outcome of the command is then unknown. */
const COMMAND_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_BACKOFF_MS = 2_000;
/** A connection that has served for so long was a good one: after it, the pauses between attempts begin small again. */
const GOOD_MS = 5_000;
/** The same complaint is not logged more often. */
const REPEAT_MS = 60_000;
const MAX_COMPLAINTS = 100;
const HUNG_UP = 'it closes connections without an answer: does it want TLS (rediss://)?';
/** With these the log itself refuses, as its callers expect it to. */
const EXPECTED = ['LEASELOST', 'TOOMANYCHANNELS', 'OOM'];

export { messageOf } from './errors.ts';

const prelude = readFileSync(new URL('./lua/log.lua', import.meta.url), 'utf8');
const MEND = loadScript('mend', 'allow-oom');

/** The highest number of a log that a process knows of, shared by its connections: a log made anew begins above it. */
export interface Seen {
  highest: number;
}

export class RedisClient {
  readonly redis: Redis;
  readonly seen: Seen;
  readonly #label: string;
  readonly #logger: Logger | undefined;
  #runId: string | undefined;
  #arrival: PromiseWithResolvers<string> | undefined;
  #lastError: unknown = 'not connected yet';
  /** This attempt to connect has failed already: what comes after its first error is only a consequence. */
  #failed = false;
  #identifiedAt = 0;
  #attempts = 0;
  #closed = false;
  /** While the log is being opened, whoever opens it says what is wrong. */
  quiet = false;
  readonly #complaints = new Map<string, number>();

  /** `label` tells the connections of one process apart in CLIENT LIST and in the log. */
  constructor(url: string, label: string, logger: Logger | undefined, seen: Seen = { highest: 0 }) {
    this.#label = label;
    this.#logger = logger;
    this.seen = seen;
    this.redis = new Redis(url, {
      protocol: 2,
      lazyConnect: true,
      connectionName: `llm-streamer-${label}`,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      // The greeting is read here, and says more than whether the data are loaded.
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => this.#pause(),
      // A demoted master stays connected and refuses writes: look for the master again.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.redis.on('connecting', () => {
      this.#failed = false;
    });
    this.redis.on('error', (error: NodeJS.ErrnoException) => {
      const hungUp = this.#runId === undefined && error.code === 'ECONNRESET';
      this.#failure(hungUp ? new Error(HUNG_UP) : error);
    });
    this.redis.on('ready', () => this.#greet().catch((error) => this.reconnect(error)));
    this.redis.on('close', () => {
      if (this.#runId === undefined && !this.#closed) this.#failure(new Error(HUNG_UP));
      else if (performance.now() - this.#identifiedAt > GOOD_MS) this.#attempts = 0;
      this.#runId = undefined;
    });
  }

  get connected(): boolean {
    return this.#runId !== undefined;
  }

  /** Why it does not serve, in words for clients. */
  get lastError(): string {
    return inWords(this.#lastError);
  }

  /** The same for the process's own log; what it waits for where nothing has failed yet. */
  get complaint(): string {
    if (this.#lastError instanceof Error) return inFull(this.#lastError);
    const { status, options } = this.redis;
    if (status === 'connect') return 'something accepts connections there, but does not answer: is it Redis?';
    return options.tls === undefined
      ? 'nothing answers there'
      : 'no TLS connection came about there: does it speak TLS?';
  }

  /** Begins to connect, and keeps at it for ever; resolves with the server's run_id once it is there. */
  arrival(): Promise<string> {
    if (this.#runId !== undefined) return Promise.resolve(this.#runId);
    if (this.redis.status === 'wait') this.redis.connect().catch(() => this.#lastError);
    this.#arrival ??= Promise.withResolvers<string>();
    return this.#arrival.promise;
  }

  /** The server's run_id; @throws BrokerUnavailable where it is not there within `patienceMs`. */
  async runId(patienceMs = 1_000): Promise<string> {
    if (this.#runId !== undefined) return this.#runId;
    const { promise, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(this.unavailable(this.#lastError)), patienceMs);
    return Promise.race([this.arrival(), promise]).finally(() => clearTimeout(timer));
  }

  /** Runs one of the log's scripts with the header that every script expects. */
  async runScript(script: Script, keys: RedisKeys, args: readonly (string | number)[]): Promise<unknown> {
    const header = await this.#header(keys);
    try {
      return await this.#run(script, header, args);
    } catch (error) {
      if (codeOf(error) !== 'LOGSTATE') throw this.reportRefusal(error);
      this.#logger?.warn(`redis: mended ${await this.#run(MEND, header, [])}`);
      return await this.#run(script, header, args);
    }
  }

  /**
   * A pipeline that begins with one of the log's scripts. It is sent in one write, which Redis reads as a whole and runs to
   * its end before it turns to another client.
   */
  async scriptPipeline(
    script: Script,
    keys: RedisKeys,
    args: readonly (string | number)[],
  ): Promise<ChainableCommander> {
    const header = await this.#header(keys);
    return this.redis.pipeline().eval(script.text, 0, ...header, ...args);
  }

  /** Leaves this connection, on which what is needed was refused, for a new one after a pause. */
  reconnect(error: unknown): void {
    this.#failure(error);
    this.redis.disconnect(true);
  }

  /** Says in the process's log what Redis refuses to do, and keeps it as the reason for not serving; returns it. */
  reportRefusal(error: unknown): unknown {
    const code = codeOf(error);
    if (code === '' || EXPECTED.includes(code)) return error;
    this.#lastError = error;
    this.#complain(inFull(error));
    return error;
  }

  unavailable(cause: unknown): CodedError {
    if (cause instanceof CodedError) return cause;
    return new BrokerUnavailable(`the log cannot be reached (${inWords(cause)})`, cause);
  }

  close(): void {
    this.#closed = true;
    this.#arrival?.promise.catch(() => undefined);
    this.#arrival?.reject(this.unavailable('closed'));
    this.redis.disconnect();
  }

  async #header({ prefix }: RedisKeys): Promise<string[]> {
    return [prefix, await this.runId(), `${newLogToken()}${this.seen.highest}`];
  }

  async #run(script: Script, header: string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.redis.evalsha(script.sha, 0, ...header, ...args);
    } catch (error) {
      if (codeOf(error) !== 'NOSCRIPT') throw error;
      return await this.redis.eval(script.text, 0, ...header, ...args);
    }
  }

  #failure(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#lastError = error;
    // Before the first connection the caller says that there is none.
    if (this.#identifiedAt > 0) this.#complain(inFull(error));
  }

  #complain(text: string): void {
    if (this.quiet) return;
    const now = performance.now();
    if (now - (this.#complaints.get(text) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    if (this.#complaints.size >= MAX_COMPLAINTS) this.#complaints.clear();
    this.#complaints.set(text, now);
    this.#logger?.warn({ connection: this.#label }, `redis: ${text}`);
  }

  /** Milliseconds until the next attempt: twice as many each time, jittered, so that many processes do not come at once. */
  #pause(): number {
    const longest = Math.min(MAX_BACKOFF_MS, 50 * 2 ** Math.min(this.#attempts++, 10));
    return longest * (0.5 + Math.random() / 2);
  }

  async #greet(): Promise<void> {
    const { db } = this.redis.options;
    // Sent with the connection already, but a refusal of it would go by unseen, and the log into database 0.
    if (db) await this.redis.select(db);
    const runId = readGreeting(await this.redis.info());
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
 * Loads a script, of `lua/` by name or any by its address, behind the log's own functions. `allow-oom`: it must run also
 * when the memory is full.
 */
export function loadScript(script: string | URL, flags: '' | 'allow-oom'): Script {
  const address = typeof script === 'string' ? new URL(`./lua/${script}.lua`, import.meta.url) : script;
  const body = readFileSync(address, 'utf8');
  const text = `#!lua${flags && ` flags=${flags}`}\n${prelude}\n${body}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
