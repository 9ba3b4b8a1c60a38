// The records of conversations in Redis, in the same hash slot as the log. A run's first step makes them (lua/run.lua); what changes them
// later is one script.

import { toPublishError } from '@llm-streamer/shared/broker/redis/append.ts';
import { loadScript, type RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import type { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { type OwnedKey, partsOf } from '@llm-streamer/shared/ownership.ts';
import type { ConversationRecord, ConversationStore } from './conversation-store.ts';

const STEP = loadScript(new URL('./lua/conversation.lua', import.meta.url), 'allow-oom');

type Redis = RedisClient['redis'];
type Replies = [error: Error | null, result: unknown][] | null;

export class RedisConversationStore implements ConversationStore {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  async list(
    owner: string,
    limit: number,
    allows: (key: OwnedKey) => boolean = () => true,
  ): Promise<ConversationRecord[]> {
    return this.#query(async (redis) => {
      const keys = (await redis.zrange(this.#keys.conversationsOf(owner), '0', '-1', 'REV')) as OwnedKey[];
      return this.#records(redis, owner, keys.filter(allows).slice(0, limit));
    });
  }

  async get(key: OwnedKey): Promise<ConversationRecord | undefined> {
    return this.#query(async (redis) => (await this.#records(redis, partsOf(key).owner, [key]))[0]);
  }

  async rename(key: OwnedKey, title: string): Promise<boolean> {
    return (await this.#step('rename', key, title)) === 'ok';
  }

  async delete(key: OwnedKey): Promise<'deleted' | 'running' | 'unknown'> {
    const reply = await this.#step('delete', key, '');
    return reply === 'ok' ? 'deleted' : (reply as 'running' | 'unknown');
  }

  async #records(redis: Redis, owner: string, keys: readonly OwnedKey[]): Promise<ConversationRecord[]> {
    if (keys.length === 0) return [];
    const running = await this.#running(redis, owner);
    const pipeline = redis.pipeline();
    for (const key of keys) {
      pipeline.hmget(this.#keys.conversation(key), 'title', 'agent', 'last');
      pipeline.zcard(this.#keys.conversationRuns(key));
    }
    const replies = (await pipeline.exec()) as Replies;
    return keys.flatMap((key, i): ConversationRecord[] => {
      const [title, agent, last] = (replies?.[2 * i]?.[1] ?? []) as (string | null)[];
      if (typeof title !== 'string') return []; // it has expired, or the key holds something of another program
      const parts = partsOf(key);
      return [
        {
          ...parts,
          title,
          ...(agent !== null && agent !== undefined && { agent }),
          last: Number(last) || 0,
          runs: Number(replies?.[2 * i + 1]?.[1]) || 0,
          running: running.get(parts.id) ?? [],
        },
      ];
    });
  }

  /** The ids of the owner's runs that go on, by conversation, the newest first. */
  async #running(redis: Redis, owner: string): Promise<Map<string, string[]>> {
    const keys = (await redis.smembers(this.#keys.running)) as OwnedKey[];
    const own = keys.filter((key) => partsOf(key).owner === owner);
    const pipeline = redis.pipeline();
    for (const key of own) pipeline.hmget(this.#keys.run(key), 'state', 'conversation', 'started');
    const replies = (await pipeline.exec()) as Replies;
    const runs = own.flatMap((key, i) => {
      const [state, conversation, started] = (replies?.[i]?.[1] ?? []) as (string | null)[];
      return state === 'running' && conversation
        ? [{ id: partsOf(key).id, conversation, started: Number(started) }]
        : [];
    });
    const newestFirst = runs.sort((a, b) => b.started - a.started);
    const groups = Map.groupBy(newestFirst, ({ conversation }) => conversation);
    return new Map([...groups].map(([conversation, of]) => [conversation, of.map(({ id }) => id)]));
  }

  async #step(step: 'rename' | 'delete', key: OwnedKey, title: string): Promise<string> {
    const { owner, id } = partsOf(key);
    try {
      return (await this.#client.runScript(STEP, this.#keys, [step, key, owner, id, title])) as string;
    } catch (error) {
      throw toPublishError(error, this.#client);
    }
  }

  async #query<T>(ask: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      await this.#client.runId();
      return await ask(this.#client.redis);
    } catch (error) {
      throw this.#client.unavailable(error);
    }
  }
}
