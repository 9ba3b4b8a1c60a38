// The records of runs in Redis, in the same hash slot as the log: each step is one script that changes the record and writes the
// entries.

import { checkBatch } from '@llm-streamer/shared/broker/batch.ts';
import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import { batchArguments, toPublishError } from '@llm-streamer/shared/broker/redis/append.ts';
import { loadScript, type RedisClient, type Script } from '@llm-streamer/shared/broker/redis/client.ts';
import type { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { type RetentionPolicy, retentionOf } from '@llm-streamer/shared/broker/retention.ts';
import { runChannel } from '@llm-streamer/shared/channels.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { RUN_STATES, type RunState } from '@llm-streamer/shared/run.ts';
import {
  type EndGuard,
  fenced,
  LISTED_RUNS,
  type RunEnding,
  type RunFacts,
  type RunRecord,
  type RunStore,
} from './run-store.ts';

const LUA = new URL('./lua/run.lua', import.meta.url);
const STEP = loadScript(LUA, '');
/** A run can always end, even if Redis has reached its memory limit. */
const LAST_STEP = loadScript(LUA, 'allow-oom');

type Step = {
  step: 'begin' | 'append' | 'end';
  id: string;
  token?: string;
  renewed?: number;
  stamp?: WriterStamp | undefined;
  fields?: Record<string, string | number>;
  drafts: readonly Draft[];
};

export class RedisRunStore implements RunStore {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #retention: RetentionPolicy;

  /** The store owns `client` and closes it. `keys` are those of the log that holds the runs' entries. */
  constructor(client: RedisClient, keys: RedisKeys, retention: RetentionPolicy) {
    this.#client = client;
    this.#keys = keys;
    this.#retention = retention;
  }

  async begin(facts: RunFacts, token: string, drafts: readonly Draft[]): Promise<'started' | 'exists'> {
    const fields = {
      fingerprint: facts.fingerprint,
      gateway: facts.gateway,
      version: facts.promptVersion,
      lanes: JSON.stringify(facts.lanes),
      ...(facts.conversationId !== undefined && { conversation: facts.conversationId }),
    };
    const reply = await this.#step(STEP, { step: 'begin', id: facts.id, token, fields, drafts });
    return reply === 'exists' ? 'exists' : 'started';
  }

  async append(id: string, token: string, drafts: readonly Draft[], stamp?: WriterStamp): Promise<void> {
    // A sign of life must get through where the memory is full: otherwise a run whose models think would look lost.
    const script = drafts.length === 0 ? LAST_STEP : STEP;
    const reply = await this.#step(script, { step: 'append', id, token, stamp, drafts });
    if (reply === 'fenced') throw fenced();
  }

  async end(id: string, ending: RunEnding, drafts: readonly Draft[], guard: EndGuard): Promise<boolean> {
    const { state, code, totals } = ending;
    const fields = {
      state,
      ...(code !== undefined && { code }),
      input: totals.inputTokens,
      output: totals.outputTokens,
      duration: totals.durationMs,
      ...(totals.estimated && { estimated: 1 }),
    };
    const reply = await this.#step(LAST_STEP, {
      step: 'end',
      id,
      ...(guard !== 'anybody' && guard),
      fields,
      drafts,
    });
    return reply === 'ok';
  }

  async get(id: string): Promise<RunRecord | undefined> {
    return this.#query(async (redis) => recordOf(id, await redis.hgetall(this.#keys.run(id))));
  }

  async list(limit: number): Promise<RunRecord[]> {
    return this.#query(async (redis) => {
      const ids = await redis.zrange(this.#keys.runs, '0', `${limit - 1}`, 'REV');
      const pipeline = redis.pipeline();
      for (const id of ids) pipeline.hgetall(this.#keys.run(id));
      const replies = (await pipeline.exec()) ?? [];
      return ids.flatMap((id, i) => recordOf(id, (replies[i]?.[1] ?? {}) as Record<string, string>) ?? []);
    });
  }

  async running(): Promise<{ id: string; renewed: number }[]> {
    return this.#query(async (redis) => {
      const ids = await redis.smembers(this.#keys.running);
      const pipeline = redis.pipeline();
      for (const id of ids) pipeline.hget(this.#keys.run(id), 'renewed');
      const replies = (await pipeline.exec()) ?? [];
      const forgotten = ids.filter((_, i) => replies[i]?.[1] === null);
      if (forgotten.length > 0) await redis.srem(this.#keys.running, ...forgotten);
      return ids.flatMap((id, i) => {
        const renewed = replies[i]?.[1];
        return typeof renewed === 'string' ? [{ id, renewed: Number(renewed) }] : [];
      });
    });
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #step(
    script: Script,
    { step, id, token = '', renewed, stamp, fields = {}, drafts }: Step,
  ): Promise<string> {
    checkBatch(drafts);
    const pairs = Object.entries(fields);
    const args = [
      step,
      id,
      token,
      renewed ?? '',
      stamp?.writer ?? '',
      stamp?.seq ?? 0,
      this.#keys.announcePrefix,
      this.#retention.maxChannels,
      retentionOf(this.#retention, runChannel(id)).idleMs,
      LISTED_RUNS,
      pairs.length,
      ...pairs.flat(),
      ...batchArguments(drafts, this.#retention, (channel) => this.#keys.echo(channel)),
    ];
    try {
      return (await this.#client.runScript(script, this.#keys, args)) as string;
    } catch (error) {
      throw toPublishError(error, this.#client);
    }
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

function recordOf(id: string, hash: Record<string, string>): RunRecord | undefined {
  const { state, fingerprint = '', gateway = '', version = '', lanes = '[]', conversation, code } = hash;
  const parsed = lanesOf(lanes);
  // The key may hold a hash of another program.
  if (!RUN_STATES.includes(state as RunState) || parsed === undefined) return undefined;
  const number = (name: string) => Number(hash[name]) || 0;
  return {
    id,
    state: state as RunState,
    fingerprint,
    gateway,
    promptVersion: version,
    lanes: parsed,
    started: number('started'),
    ended: number('ended'),
    renewed: number('renewed'),
    totals: {
      inputTokens: number('input'),
      outputTokens: number('output'),
      durationMs: number('duration'),
      ...(hash.estimated !== undefined && { estimated: true }),
    },
    ...(conversation !== undefined && { conversationId: conversation }),
    ...(code !== undefined && { code }),
  };
}

function lanesOf(text: string): RunRecord['lanes'] | undefined {
  try {
    const lanes: unknown = JSON.parse(text);
    return Array.isArray(lanes) && lanes.every(isLane) ? lanes : undefined;
  } catch {
    return undefined;
  }
}

function isLane(lane: unknown): boolean {
  if (typeof lane !== 'object' || lane === null) return false;
  const fields = lane as Record<string, unknown>;
  return ['lane', 'role', 'provider', 'model'].every((name) => typeof fields[name] === 'string');
}
