// One connection to Redis that knows which server process it talks to. A command runs on the connection it was meant
// for or fails at once; nothing is queued while the server is away, and nothing is sent again by itself.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ChainableCommander, Redis } from 'ioredis';
import { BrokerUnavailable } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** A server that does not answer within this is treated as away; the outcome of the command is then unknown. */
const COMMAND_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_BACKOFF_MS = 2_000;

/** The highest number of a log that a process knows of, shared by its connections: a log made anew begins above it. */
export interface Seen {
  highest: number;
}

export class RedisClient {
  readonly redis: Redis;
  readonly seen: Seen;
  readonly #label: string;
  #runId: string | undefined;
  #arrival: PromiseWithResolvers<string> | undefined;
  #lastError = 'not connected yet';
  #identified = false;

  /** `label` tells the connections of one process apart in CLIENT LIST and in the log. */
  constructor(url: string, label: string, logger: Logger | undefined, seen: Seen = { highest: 0 }) {
    this.#label = label;
    this.seen = seen;
    this.redis = new Redis(url, {
      protocol: 2,
      lazyConnect: true,
      connectionName: `llm-streamer-${label}`,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) =>
        Math.random() * Math.min(MAX_BACKOFF_MS, 50 * 2 ** Math.min(attempt, 10)) + 20,
      // A demoted master stays connected and refuses writes: look for the master again.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.redis.on('error', (error) => {
      // Before the first connection the caller says that there is none.
      if (this.#identified && describe(error) !== this.#lastError)
        logger?.warn({ connection: label }, `redis: ${describe(error)}`);
      this.#lastError = describe(error);
    });
    this.redis.on('ready', () => void this.#learnRunId());
    this.redis.on('close', () => {
      this.#runId = undefined;
    });
  }

  get connected(): boolean {
    return this.#runId !== undefined;
  }

  /** Why it is not connected, in words that hold no address or password. */
  get lastError(): string {
    return this.#lastError;
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
  async script(script: Script, prefix: string, args: readonly (string | number)[]): Promise<unknown> {
    const header = await this.#header(prefix);
    try {
      return await this.redis.evalsha(script.sha, 0, ...header, ...args);
    } catch (error) {
      if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
      return await this.redis.eval(script.text, 0, ...header, ...args);
    }
  }

  /**
   * A pipeline that begins with one of the log's scripts. It is sent in one write, which Redis reads as a whole and runs to
   * its end before it turns to another client.
   */
  async pipeline(
    script: Script,
    prefix: string,
    args: readonly (string | number)[],
  ): Promise<ChainableCommander> {
    const header = await this.#header(prefix);
    return this.redis.pipeline().eval(script.text, 0, ...header, ...args);
  }

  unavailable(cause: unknown): BrokerUnavailable {
    if (cause instanceof BrokerUnavailable) return cause;
    const why = typeof cause === 'string' ? cause : inWords(cause);
    return new BrokerUnavailable(`the log cannot be reached (${why})`, cause);
  }

  close(): void {
    this.#arrival?.promise.catch(() => undefined);
    this.#arrival?.reject(this.unavailable('closed'));
    this.redis.disconnect();
  }

  async #header(prefix: string): Promise<string[]> {
    return [prefix, await this.runId(), `${freshToken()}${this.seen.highest}`];
  }

  async #learnRunId(): Promise<void> {
    try {
      const info = await this.redis.info('server');
      const runId = /run_id:(\w+)/.exec(info)?.[1];
      if (runId === undefined) throw new Error(`${this.#label}: INFO names no run_id`);
      this.#runId = runId;
      this.#identified = true;
      this.#arrival?.resolve(runId);
      this.#arrival = undefined;
      this.redis.emit('identified');
    } catch (error) {
      this.#lastError = messageOf(error);
      this.redis.disconnect(true);
    }
  }
}

export interface Script {
  text: string;
  sha: string;
}

const prelude = readFileSync(new URL('./lua/log.lua', import.meta.url), 'utf8');

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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For clients: an error that Redis answered may hold keys and lines of a script; its code says enough. */
function inWords(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof Error) || error.name !== 'ReplyError') return message;
  return `Redis answered ${/^[A-Z]+/.exec(message)?.[0] ?? 'with an error'}`;
}

function describe(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined ? error.message : `${code}`;
}

/** For a log that must be created: eight letters and digits that no other log has. */
function freshToken(): string {
  return Math.random().toString(36).slice(2, 10).padEnd(8, '0');
}
