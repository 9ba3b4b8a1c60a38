// What the rules remember, in Redis, in the same hash slot as the log: each step is one script that writes the entries and all that
// goes with them.

import type { FiringAlert } from '@llm-streamer/shared/api-types.ts';
import { batchArguments, toPublishError } from '@llm-streamer/shared/broker/redis/append.ts';
import { loadScript, type RedisClient, type Script } from '@llm-streamer/shared/broker/redis/client.ts';
import type { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import type { RetentionPolicy } from '@llm-streamer/shared/broker/retention.ts';
import { PublishRefused } from '@llm-streamer/shared/errors.ts';
import type { AlertState } from '../alerts/alert-state.ts';
import { readFiring, readState } from './kept-json.ts';
import { LEASE_MS, type Lead, MAX_WAITING, PAUSE_MS, type RulesStore, type Step } from './rules-store.ts';

const LUA = new URL('./lua/rules.lua', import.meta.url);
const COMMIT = loadScript(LUA, '');
/** A lease is taken and given back also where Redis has reached its memory limit. */
const LEAD = loadScript(LUA, 'allow-oom');
/** What nobody has fetched for so long is for a destination that is gone. */
const WAITING_MS = 24 * 3_600_000;

export class RedisRulesStore implements RulesStore {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #retention: RetentionPolicy;

  /** The store owns `client` and closes it. `keys` are those of the log. */
  constructor(client: RedisClient, keys: RedisKeys, retention: RetentionPolicy) {
    this.#client = client;
    this.#keys = keys;
    this.#retention = retention;
  }

  async begin(): Promise<void> {
    await this.#run(LEAD, ['begin', '', LEASE_MS]);
  }

  async lead(holder: string): Promise<Lead | undefined> {
    const reply = await this.#run(LEAD, ['lead', holder, LEASE_MS, PAUSE_MS]);
    if (reply === '') return undefined;
    const [seq = 0, position = 0, head = 0, now = 0, watched = 0] = (reply as string[]).map(Number);
    return { seq, position, head, now, watched };
  }

  async states(): Promise<[string, AlertState][]> {
    const all = await this.#query((redis) => redis.hgetall(this.#keys.ruleStates));
    return Object.entries(all).flatMap(([id, text]) => {
      const state = readState(text);
      return state === undefined ? [] : [[id, state]];
    });
  }

  async commit(holder: string, step: Step): Promise<{ dropped: number }> {
    const { seq, position, drafts, states, firing, messages } = step;
    const args = [
      'commit',
      holder,
      LEASE_MS,
      seq,
      position,
      this.#keys.announcePrefix,
      this.#retention.maxChannels,
      MAX_WAITING,
      WAITING_MS,
      states.size,
      firing.size,
      messages.length,
      ...[...states, ...firing].flatMap(([id, text]) => [id, text ?? '']),
      ...messages.flatMap(({ destination, message }) => [destination, message]),
      ...batchArguments(drafts, this.#retention, (channel) => this.#keys.echo(channel)),
    ];
    return { dropped: Number(await this.#run(COMMIT, args)) };
  }

  async resign(holder: string): Promise<void> {
    await this.#run(LEAD, ['resign', holder, LEASE_MS]);
  }

  async firing(): Promise<FiringAlert[]> {
    const all = await this.#query((redis) => redis.hvals(this.#keys.rulesFiring));
    return all.flatMap((text) => readFiring(text) ?? []);
  }

  async waiting(destination: string, most: number): Promise<string[]> {
    return this.#query((redis) => redis.lrange(this.#keys.rulesOut(destination), 0, most - 1));
  }

  async delivered(holder: string, destination: string, count: number): Promise<void> {
    await this.#run(LEAD, ['delivered', holder, LEASE_MS, destination, count]);
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    let reply: unknown;
    try {
      reply = await this.#client.runScript(script, this.#keys, args);
    } catch (error) {
      throw toPublishError(error, this.#client);
    }
    if (reply === 'fenced') throw new PublishRefused('fenced', 'another gateway applies the rules now');
    return reply;
  }

  async #query<T>(ask: (redis: RedisClient['redis']) => Promise<T>): Promise<T> {
    try {
      await this.#client.runId();
      return await ask(this.#client.redis);
    } catch (error) {
      throw this.#client.unavailable(error);
    }
  }
}
