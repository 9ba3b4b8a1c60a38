// A reader that drops and resumes at random, while entries are published and trimmed and the log goes back: what it saw
// and what gaps name is everything that was published, on both brokers.

import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type Broker, type Gap, mayOverlap, type Subscription } from '../../src/broker/broker.ts';
import { MemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { type Position, parsePosition } from '../../src/broker/position.ts';
import { readPages } from '../../src/broker/read-pages.ts';
import type { LogRecord } from '../../src/broker/record.ts';
import { RedisClient } from '../../src/broker/redis/client.ts';
import { RedisJanitor } from '../../src/broker/redis/janitor.ts';
import { RedisKeys } from '../../src/broker/redis/keys.ts';
import { RedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '../../src/broker/retention.ts';
import { line } from './conformance.ts';

/** Channels are scarce, so that one without entries is forgotten; 'c' loses them by time, when the stage says so. */
const RETENTION = {
  ...DEFAULT_RETENTION,
  maxChannels: 3,
  default: { entries: 40, idleMs: 3_600_000 },
  prefixes: [{ prefix: 'c', entries: 40, idleMs: 60_000 }],
};
const CHANNELS = ['a', 'b', 'c'];

/** Reads as a gateway does: it subscribes, reads history up to the seam, then live. It keeps its cursor when it drops. */
class Reader {
  readonly seen: LogRecord[] = [];
  readonly gaps: Gap[] = [];
  cursor: Position;
  readonly #broker: Broker;
  readonly #patterns: readonly string[];
  readonly #limit: number;
  #subscription: Subscription | undefined;

  constructor(broker: Broker, patterns: readonly string[], start: Position, limit: number) {
    this.#broker = broker;
    this.#patterns = patterns;
    this.cursor = start;
    this.#limit = limit;
  }

  /** The connection breaks after this many items of a page. */
  async peek(items: number): Promise<void> {
    if (this.#subscription) return;
    const query = { channels: this.#patterns, after: this.cursor, limit: this.#limit };
    const page = await this.#broker.readPage(query);
    for (const { record, gap } of page.items.slice(0, items)) record ? this.#see(record) : this.#note(gap);
  }

  async resume(): Promise<void> {
    if (this.#subscription) return;
    let live = false;
    const early: (() => void)[] = [];
    const inOrder = (act: () => void) => (live ? act() : early.push(act));
    this.#subscription = await this.#broker.subscribe(this.#patterns, {
      onRecord: (record) => inOrder(() => this.#see(record)),
      onGap: (gap) => inOrder(() => this.#note(gap)),
      onAdvance: () => {},
    });
    const { from } = this.#subscription;
    if (this.cursor !== from) {
      const query = { channels: this.#patterns, after: this.cursor, upTo: from, limit: this.#limit };
      for await (const { items, next } of readPages(this.#broker, query)) {
        for (const { record, gap } of items) record ? this.#see(record) : this.#note(gap);
        this.cursor = next;
      }
    }
    live = true;
    for (const act of early) act();
  }

  drop(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  #see(record: LogRecord): void {
    this.seen.push(record);
    this.cursor = record.n;
  }

  #note(gap: Gap): void {
    this.gaps.push(gap);
    // As the gateway does it by the id of the gap's frame.
    if (!mayOverlap(gap.reason)) this.cursor = Math.max(this.cursor, gap.before - 1);
  }
}

type Op =
  | { do: 'publish'; channel: number; count: number }
  | { do: 'peek'; items: number }
  | { do: 'drop' | 'resume' | 'forget' | 'snapshot' | 'back' };

const ops = (goesBack: boolean) =>
  fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('publish' as const),
          channel: fc.nat(2),
          count: fc.integer({ min: 1, max: 60 }),
        }),
      },
      { weight: 2, arbitrary: fc.constant<Op>({ do: 'drop' }) },
      { weight: 3, arbitrary: fc.constant<Op>({ do: 'resume' }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('peek' as const), items: fc.integer({ min: 1, max: 20 }) }),
      },
      { weight: 2, arbitrary: fc.constant<Op>({ do: 'forget' }) },
      ...(goesBack
        ? [fc.constant<Op>({ do: 'snapshot' }), fc.constant<Op>({ do: 'back' })].map((arbitrary) => ({
            weight: 2,
            arbitrary,
          }))
        : []),
    ),
    { minLength: 5, maxLength: 30 },
  );

interface Stage {
  broker: Broker;
  /** Ends the retention by time of 'c', and has it forgotten if all channels are there. */
  forget(): Promise<void>;
  /** Keeps the log as it is now. */
  snapshot(): Promise<void>;
  /** Puts the kept log back, as a failover to a lagging replica does; false where nothing was kept. */
  back(): Promise<boolean>;
}

async function play(
  stage: Stage,
  story: readonly Op[],
  patterns: readonly string[],
  limit: number,
): Promise<void> {
  const { broker } = stage;
  const published: { channel: string; n: Position; lost: boolean }[] = [];
  const reader = new Reader(broker, patterns, await broker.head(), limit);
  await reader.resume();
  let kept = 0;
  let keptHead = 0;
  const publish = async (channel: string, count: number) => {
    const ids = await broker.publish(Array.from({ length: count }, (_, i) => line(channel, `${i}`)));
    for (const id of ids)
      published.push({ channel, n: parsePosition(id as string) as Position, lost: false });
  };
  for (const op of story) {
    if (op.do === 'publish') await publish(CHANNELS[op.channel] as string, op.count);
    else if (op.do === 'drop') reader.drop();
    else if (op.do === 'resume') await reader.resume();
    else if (op.do === 'peek') await reader.peek(op.items);
    else if (op.do === 'forget') await stage.forget();
    else if (op.do === 'snapshot') {
      await stage.snapshot();
      kept = published.length;
      keptHead = await broker.head();
    } else if (await stage.back()) {
      // A reader whose cursor the older copy has reached sees no difference. A reader whose cursor is further must get a gap.
      const unknowable = reader.cursor <= keptHead;
      for (const entry of published.slice(kept)) entry.lost ||= unknowable;
    }
  }
  await reader.resume();
  for (const channel of CHANNELS) await publish(channel, 1);
  const ends = published
    .slice(-CHANNELS.length)
    .filter(({ channel }) => patterns.includes(channel) || patterns[0] === '*');
  await expect
    .poll(() => ends.every(({ n }) => reader.seen.some((record) => record.n === n)), { timeout: 15_000 })
    .toBe(true);
  reader.drop();

  const numbers = reader.seen.map(({ n }) => n);
  expect(new Set(numbers).size, 'each entry once').toBe(numbers.length);
  expect(
    [...numbers].sort((x, y) => x - y),
    'in order',
  ).toEqual(numbers);
  const seen = new Set(numbers);
  const named = (gap: Gap, { channel, n }: { channel: string; n: Position }) =>
    (gap.channel === null || gap.channel === channel) && gap.after < n && n < gap.before;
  const wanted = published.filter(({ channel }) => patterns.includes(channel) || patterns[0] === '*');
  const missing = wanted.filter(({ n }) => !seen.has(n));
  const unnamed = missing.filter((entry) => !entry.lost && !reader.gaps.some((gap) => named(gap, entry)));
  expect(unnamed, 'missing and named by no gap').toEqual([]);
  // A gap for forgotten channels goes to all readers whose patterns may match one of them.
  const vague = ({ channel, reason }: Gap) =>
    reason === 'rollback' || (channel === null && reason === 'expired');
  const empty = reader.gaps.filter((gap) => !vague(gap) && !missing.some((entry) => named(gap, entry)));
  expect(empty, 'gaps that name nothing').toEqual([]);
}

const selections = fc.constantFrom(['*'], ['a'], ['c'], ['a', 'c']);

describe('a reader misses nothing that no gap names', () => {
  it('in memory', async () => {
    const property = fc.asyncProperty(
      ops(false),
      selections,
      fc.integer({ min: 1, max: 20 }),
      async (story, patterns, limit) => {
        let ahead = 0;
        const broker = new MemoryBroker(RETENTION, () => Date.now() + ahead);
        const forget = async () => {
          ahead += 60_001;
          await broker.channels('*');
        };
        const stage = { broker, forget, snapshot: async () => {}, back: async () => false };
        try {
          await play(stage, story, patterns, limit);
        } finally {
          await broker.close();
        }
      },
    );
    await fc.assert(property, { numRuns: 60, seed: 7 });
  });

  describe('in Redis', () => {
    let server: RedisServer;
    let redis: Redis;
    let client: RedisClient;
    beforeAll(async () => {
      server = await startRedis();
      redis = new Redis(server.url);
      client = new RedisClient(server.url, 'janitor', undefined);
      await client.runId(10_000);
    });
    afterAll(async () => {
      redis.disconnect();
      client.close();
      await server.stop();
    });

    it('also when the log goes back', { timeout: 240_000 }, async () => {
      const property = fc.asyncProperty(
        ops(true),
        selections,
        fc.integer({ min: 1, max: 20 }),
        async (story, patterns, limit) => {
          const namespace = randomNamespace();
          const broker = new RedisBroker({ url: server.url, namespace, retention: RETENTION });
          try {
            await broker.open(2_000);
            const stage = {
              broker,
              forget: forgetting(redis, client, namespace),
              ...rewinding(redis, namespace, broker),
            };
            await play(stage, story, patterns, limit);
          } finally {
            await broker.close();
          }
        },
      );
      await fc.assert(property, { numRuns: 40, seed: 7 });
    });
  });
});

function forgetting(redis: Redis, client: RedisClient, namespace: string): () => Promise<void> {
  const logKeys = new RedisKeys(namespace);
  return async () => {
    await redis.del(logKeys.stream('c'));
    await new RedisJanitor(client, logKeys, RETENTION, undefined).sweep();
  };
}

/** Sets a namespace back to a copy of its keys, as if on another server, and cuts all connections. */
function rewinding(redis: Redis, namespace: string, broker: RedisBroker): Pick<Stage, 'snapshot' | 'back'> {
  const copy = new Map<string, Buffer>();
  const keys = () => redis.keys(`{${namespace}}:*`);
  return {
    snapshot: async () => {
      copy.clear();
      for (const key of await keys()) {
        const dump = await redis.dumpBuffer(key);
        if (dump) copy.set(key, dump);
      }
    },
    back: async () => {
      if (copy.size === 0) return false;
      const { reconnects } = broker.status();
      // At once: a tick in between would make the log anew.
      const swap = redis.multi();
      for (const key of await keys()) swap.del(key);
      for (const [key, dump] of copy) swap.restore(key, 0, dump, 'REPLACE');
      swap.hset(`{${namespace}}:log`, 'run', 'another server');
      await swap.exec();
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await expect.poll(() => broker.status().ready && broker.status().reconnects > reconnects).toBe(true);
      return true;
    },
  };
}
