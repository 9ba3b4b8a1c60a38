// The records of runs in Redis, in the same hash slot as the log: each step is one script that changes the record and writes the
// entries.

import { checkBatch } from '@llm-streamer/shared/broker/batch.ts';
import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import { batchArguments, toPublishError } from '@llm-streamer/shared/broker/redis/append.ts';
import { loadScript, type RedisClient, type Script } from '@llm-streamer/shared/broker/redis/client.ts';
import type { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { type RetentionPolicy, retentionOf } from '@llm-streamer/shared/broker/retention.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import {
  conversationChannel,
  type OwnedKey,
  ownedKey,
  partsOf,
  runChannel,
} from '@llm-streamer/shared/ownership.ts';
import { RUN_STATES, type RunState } from '@llm-streamer/shared/run.ts';
import type { ConversationStore } from './conversation-store.ts';
import { RedisConversationStore } from './redis-conversation-store.ts';
import {
  type Approval,
  type Decision,
  type EndGuard,
  fenced,
  LISTED_OWNERS,
  LISTED_RUNS,
  type RunBeginning,
  type RunEnding,
  type RunRecord,
  type RunScope,
  type RunStore,
} from './run-store.ts';

const LUA = new URL('./lua/run.lua', import.meta.url);
const STEP = loadScript(LUA, '');
/** A run can always end, even if Redis has reached its memory limit. */
const LAST_STEP = loadScript(LUA, 'allow-oom');
/** How many owners' runs are asked for in one round. */
const OWNERS_AT_ONCE = 50;
/** The field of a call that waits, or waited, for consent begins with this; its value is OPEN until it is a decision. */
const ASKED = 'ask:';
const OPEN = 'open';

type Step = {
  step: 'begin' | 'append' | 'decide' | 'end';
  key: OwnedKey;
  token?: string;
  title?: string | undefined;
  renewed?: number;
  stamp?: WriterStamp | undefined;
  fields?: Record<string, string | number>;
  drafts: readonly Draft[];
};

export class RedisRunStore implements RunStore {
  readonly conversations: ConversationStore;
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #retention: RetentionPolicy;

  /** The store owns `client` and closes it. `keys` are those of the log that holds the runs' entries. */
  constructor(client: RedisClient, keys: RedisKeys, retention: RetentionPolicy) {
    this.#client = client;
    this.#keys = keys;
    this.#retention = retention;
    this.conversations = new RedisConversationStore(client, keys);
  }

  async begin(facts: RunBeginning, token: string, drafts: readonly Draft[]): Promise<'started' | 'exists'> {
    const key = ownedKey(facts.owner, facts.id);
    const fields = {
      fingerprint: facts.fingerprint,
      gateway: facts.gateway,
      version: facts.promptVersion,
      lanes: JSON.stringify(facts.lanes),
      ...(facts.conversationId !== undefined && { conversation: facts.conversationId }),
      ...(facts.agent !== undefined && { agent: facts.agent }),
      ...(facts.replaces !== undefined && { replaces: facts.replaces }),
    };
    const reply = await this.#step(STEP, { step: 'begin', key, token, title: facts.title, fields, drafts });
    return reply === 'exists' ? 'exists' : 'started';
  }

  async append(key: OwnedKey, token: string, drafts: readonly Draft[], stamp?: WriterStamp): Promise<void> {
    // A sign of life must get through where the memory is full: otherwise a run whose models think would look lost.
    const script = drafts.length === 0 ? LAST_STEP : STEP;
    const reply = await this.#step(script, { step: 'append', key, token, stamp, drafts });
    if (reply === 'fenced') throw fenced();
  }

  async ask(
    key: OwnedKey,
    token: string,
    approval: string,
    drafts: readonly Draft[],
    stamp: WriterStamp,
  ): Promise<void> {
    const fields = { [ASKED + approval]: OPEN };
    const reply = await this.#step(STEP, { step: 'append', key, token, stamp, fields, drafts });
    if (reply === 'fenced') throw fenced();
  }

  async decide(
    key: OwnedKey,
    approval: string,
    decision: Decision,
    drafts: readonly Draft[],
  ): Promise<'ok' | 'decided' | 'unknown' | 'ended'> {
    const fields = { [ASKED + approval]: JSON.stringify(decision) };
    const reply = await this.#step(LAST_STEP, { step: 'decide', key, fields, drafts });
    return reply === 'refused' ? 'ended' : (reply as 'ok' | 'decided' | 'unknown');
  }

  async end(key: OwnedKey, ending: RunEnding, drafts: readonly Draft[], guard: EndGuard): Promise<boolean> {
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
      key,
      ...(guard !== 'anybody' && guard),
      fields,
      drafts,
    });
    return reply === 'ok';
  }

  async get(key: OwnedKey): Promise<RunRecord | undefined> {
    return this.#query(async (redis) => recordOf(key, await redis.hgetall(this.#keys.run(key))));
  }

  async list(limit: number, scope: RunScope = {}): Promise<RunRecord[]> {
    return this.#query(async (redis) => {
      const keys = await this.#newest(redis, limit, scope);
      const pipeline = redis.pipeline();
      for (const key of keys) pipeline.hgetall(this.#keys.run(key));
      const replies = (await pipeline.exec()) ?? [];
      return keys.flatMap((key, i) => recordOf(key, (replies[i]?.[1] ?? {}) as Record<string, string>) ?? []);
    });
  }

  /** A set of a log from before runs had owners holds bare ids, which are the keys of runs that belong to nobody. */
  async running(): Promise<{ key: OwnedKey; renewed: number }[]> {
    return this.#query(async (redis) => {
      const keys = (await redis.smembers(this.#keys.running)) as OwnedKey[];
      const pipeline = redis.pipeline();
      for (const key of keys) pipeline.hget(this.#keys.run(key), 'renewed');
      const replies = (await pipeline.exec()) ?? [];
      const forgotten = keys.filter((_, i) => replies[i]?.[1] === null);
      if (forgotten.length > 0) await redis.srem(this.#keys.running, ...forgotten);
      return keys.flatMap((key, i) => {
        const renewed = replies[i]?.[1];
        return typeof renewed === 'string' ? [{ key, renewed: Number(renewed) }] : [];
      });
    });
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** Looks at some owners at a time, and keeps the newest keys of all so far. */
  async #newest(redis: RedisClient['redis'], limit: number, scope: RunScope): Promise<OwnedKey[]> {
    const { allows } = scope;
    // The newest `limit` runs of all belong to at most so many owners; of runs that are picked out nobody knows whose they are.
    const most = allows === undefined ? limit : LISTED_OWNERS;
    const owners = scope.owners ?? [
      '',
      ...(await redis.zrange(this.#keys.runOwners, '0', `${most - 1}`, 'REV')),
    ];
    const perOwner = allows === undefined ? limit : LISTED_RUNS;
    let newest: { key: OwnedKey; started: number }[] = [];
    for (let at = 0; at < owners.length; at += OWNERS_AT_ONCE) {
      const pipeline = redis.pipeline();
      for (const owner of owners.slice(at, at + OWNERS_AT_ONCE))
        pipeline.zrange(this.#keys.runsOf(owner), '0', `${perOwner - 1}`, 'REV', 'WITHSCORES');
      for (const [, reply] of (await pipeline.exec()) ?? []) {
        if (!Array.isArray(reply)) continue; // the key holds something of another program
        for (let i = 0; i < reply.length; i += 2) {
          const key = reply[i] as OwnedKey;
          if (allows === undefined || allows(key)) newest.push({ key, started: Number(reply[i + 1]) });
        }
      }
      newest = newest.sort((a, b) => b.started - a.started).slice(0, limit);
    }
    return newest.map(({ key }) => key);
  }

  async #step(
    script: Script,
    { step, key, token = '', title = '', renewed, stamp, fields = {}, drafts }: Step,
  ): Promise<string> {
    checkBatch(drafts);
    const pairs = Object.entries(fields);
    const args = [
      step,
      key,
      token,
      renewed ?? '',
      stamp?.writer ?? '',
      stamp?.seq ?? 0,
      this.#keys.announcePrefix,
      retentionOf(this.#retention, runChannel(key)).idleMs,
      LISTED_RUNS,
      partsOf(key).owner,
      LISTED_OWNERS,
      title,
      retentionOf(this.#retention, conversationChannel(key)).idleMs,
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

function recordOf(key: OwnedKey, hash: Record<string, string>): RunRecord | undefined {
  const { state, fingerprint = '', gateway = '', version = '', lanes = '[]' } = hash;
  const { conversation, agent, replaces, code } = hash;
  const parsed = lanesOf(lanes);
  // The key may hold a hash of another program.
  if (!RUN_STATES.includes(state as RunState) || parsed === undefined) return undefined;
  const number = (name: string) => Number(hash[name]) || 0;
  return {
    ...partsOf(key),
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
    approvals: approvalsOf(hash),
    ...(conversation !== undefined && { conversationId: conversation }),
    ...(agent !== undefined && { agent }),
    ...(replaces !== undefined && { replaces }),
    ...(code !== undefined && { code }),
  };
}

function approvalsOf(hash: Record<string, string>): Approval[] {
  return Object.entries(hash).flatMap(([field, value]) => {
    if (!field.startsWith(ASKED)) return [];
    const id = field.slice(ASKED.length);
    if (value === OPEN) return [{ id }];
    const decision = decisionOf(value);
    return decision ? [{ id, decision }] : [];
  });
}

function decisionOf(text: string): Decision | undefined {
  try {
    return JSON.parse(text) as Decision;
  } catch {
    return undefined; // another program has written it
  }
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
