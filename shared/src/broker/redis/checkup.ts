// Checks every three seconds whether the log could take an entry: whether its keys are its own, what the Redis user may do, and
// whether Redis would evict entries, or lose them in a failover. So a fault shows in /readyz and /sse/health before the first entry fails.

import type { Logger } from '../../logger.ts';
import { loadScript, type RedisClient } from './client.ts';
import { codeOf, inWords, messageOf } from './errors.ts';
import type { RedisKeys } from './keys.ts';

const CHECKUP = loadScript('checkup', 'allow-oom');
const EVERY_MS = 3_000;

export class RedisCheckup {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #logger: Logger | undefined;
  #timer: NodeJS.Timeout | undefined;
  #fault: string | undefined;
  #warning: string | undefined;
  /** Whether the server had replicas at the last check. */
  hasReplicas = false;

  constructor(client: RedisClient, keys: RedisKeys, logger: Logger | undefined) {
    this.#client = client;
    this.#keys = keys;
    this.#logger = logger;
  }

  /** Why the log can take no entries, in words for clients; undefined if it can. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** What endangers entries although everything works. */
  get warning(): string | undefined {
    return this.#warning;
  }

  /** @throws what the first check finds. */
  async start(): Promise<void> {
    await this.#check();
    this.#timer = setInterval(() => {
      this.#checkAgain().catch((error) => {
        this.#fault = inWords(error);
      });
    }, EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #checkAgain(): Promise<void> {
    if (!this.#client.connected) return;
    await this.#check();
    this.#fault = undefined;
  }

  async #check(): Promise<void> {
    const denied = (await this.#client.runScript(CHECKUP, this.#keys, []).catch((error) => {
      if (!isOfKeys(error)) throw error;
      return [`use keys ${this.#keys.prefix}*`]; // refused before it began, and Redis does not say which key
    })) as string[];
    if (denied.length > 0) throw this.#client.reportRefusal(forbidden(denied));
    const info = await this.#client.redis.info('memory', 'replication');
    this.hasReplicas = replicasIn(info) > 0;
    const warning = dangersIn(info);
    if (warning !== undefined && warning !== this.#warning) this.#logger?.warn(`redis: ${warning}`);
    this.#warning = warning;
  }
}

function isOfKeys(error: unknown): boolean {
  return codeOf(error) === 'NOPERM' && /\bkeys?\b/.test(messageOf(error));
}

/** What endangers entries, by the answer to INFO; undefined if nothing does. */
function dangersIn(info: string): string | undefined {
  const dangers: string[] = [];
  const policy = fieldOf(info, 'maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction')
    dangers.push(
      `Redis may evict entries of the log: its maxmemory-policy is ${policy}, and should be noeviction`,
    );
  // Redis counts its good replicas only where it asks for some before it takes a write.
  if (replicasIn(info) > 0 && fieldOf(info, 'min_slaves_good_slaves') === undefined)
    dangers.push(
      'Redis has replicas, but does not ask for them: a failover may lose many seconds of entries while min-replicas-to-write is 0',
    );
  return dangers.length > 0 ? dangers.join('; ') : undefined;
}

function replicasIn(info: string): number {
  return Number(fieldOf(info, 'connected_slaves') ?? 0);
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:([\\w-]+)`, 'm').exec(info)?.[1];
}

function forbidden(denied: readonly string[]): Error {
  const error = new Error(`NOPERM this user may not ${[...new Set(denied)].slice(0, 5).join(', ')}`);
  error.name = 'ReplyError'; // as Redis itself would answer
  return error;
}
