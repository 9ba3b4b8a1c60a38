// What a Redis user who may only PUBLISH can do to the entries of others: nothing. The attacker logs in as such a user, by the line
// that `aclLines` makes, and sends whatever it likes; two processes listen.

import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { randomNamespace } from '../../../../test-support/redis.ts';
import { type Position, parsePosition, timeOf } from '../../../src/broker/position.ts';
import { readPages } from '../../../src/broker/read-pages.ts';
import { type LogRecord, writeHead } from '../../../src/broker/record.ts';
import { aclLines } from '../../../src/broker/redis/acl.ts';
import { RedisKeys } from '../../../src/broker/redis/keys.ts';
import type { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { Ear, line } from '../conformance.ts';
import { redisStage } from './redis-stage.ts';

const stage = redisStage();
const open: Redis[] = [];
afterEach(() => {
  for (const redis of open.splice(0)) redis.disconnect();
});

/** A connection of a user who may only publish, on every plain name that a producer can be given. */
async function producer(namespace: string): Promise<Redis> {
  const redisVersion = /redis_version:(\S+)/.exec(await stage.redis.info('server'))?.[1] ?? '';
  const user = `producer-${namespace}`;
  const [rules = ''] = aclLines({ namespace, role: 'producer', user, channels: ['*'], redisVersion });
  await stage.redis.call('ACL', 'SETUSER', ...rules.split(' ').slice(1), '>pass');
  const redis = new Redis(stage.server.url.replace('redis://', `redis://${user}:pass@`), {
    enableReadyCheck: false,
  });
  open.push(redis);
  return redis;
}

interface Scene {
  namespace: string;
  keys: RedisKeys;
  attacker: Redis;
  brokers: [RedisBroker, RedisBroker];
  /** One for each broker. They listen by several patterns, so that copies come by each. */
  ears: [Ear, Ear];
  token: string;
  /** Sends a plain message, and waits until it has come back as an entry: so everything before it has been handled. */
  flush(channel: string): Promise<void>;
}

const MODES = [
  ['in the default namespace, where entries have echoes', { namespace: () => 'llm' }],
  ['in another namespace, where they have none', { namespace: randomNamespace }],
  ['in another namespace, with echoes', { namespace: randomNamespace, plainChannels: true }],
] as const;
type Mode = (typeof MODES)[number][1];

async function setUp({ namespace: name, ...options }: Mode): Promise<Scene> {
  const namespace = name();
  const attacker = await producer(namespace);
  const keys = new RedisKeys(namespace);
  const broker = () => stage.broker({ namespace, adopt: ['logs*'], ...options });
  const brokers: Scene['brokers'] = [await broker(), await broker()];
  const ears: Scene['ears'] = [new Ear(), new Ear()];
  await brokers[0].subscribe(['logs:*', 'logs:a', '*'], ears[0]);
  await brokers[1].subscribe(['*:a', 'l*', 'logs:b'], ears[1]);
  let flushed = 0;
  const flush = async (channel: string) => {
    const marker = `flush ${++flushed} ${Math.random()}`;
    await attacker.publish(keys.plain(channel), marker);
    for (const ear of ears) await ear.heard(({ msgs }) => msgs.includes(marker));
  };
  await expect.poll(() => stage.redis.get(`${keys.prefix}adopter`)).not.toBeNull();
  await flush('logs:a');
  const token = (await stage.redis.hget(`${keys.prefix}log`, 'token')) as string;
  return { namespace, keys, attacker, brokers, ears, token, flush };
}

async function history(broker: RedisBroker, channel: string, after = 0): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const { items } of readPages(broker, { channels: [channel], after, limit: 1_000 }))
    for (const { record, gap } of items) record ? records.push(record) : expect.fail(JSON.stringify(gap));
  return records;
}

const on = (ear: Ear, channel: string) =>
  ear.records.filter((record) => record.channel === channel && record.id !== null);
const ids = (records: readonly LogRecord[]) => records.map(({ id }) => id);

/** Each entry of the channel stands in history and has come to each ear once, in order, and `prev` names the entry before. */
async function expectWhole({ brokers, ears }: Scene, channel: string): Promise<void> {
  const stored = await history(brokers[0], channel);
  for (const ear of ears) {
    expect(ids(on(ear, channel))).toEqual(ids(stored).slice(-on(ear, channel).length));
    expect(ear.gaps).toEqual([]);
  }
  stored.forEach((record, i) => {
    expect(record.prev).toBe(i === 0 ? 0 : stored[i - 1]?.n);
  });
}

describe.each(MODES)('a user who may only publish, %s', (_, mode) => {
  it('46: cannot hide entries by a copied token and a number ahead of the log', async () => {
    const scene = await setUp(mode);
    const { brokers, ears, attacker, keys, token } = scene;
    const published = await brokers[0].publish([line('logs:t2', 'real 0')]);
    const prev = parsePosition(published[0] as string) as Position;
    for (const ahead of [1, 1_500_000, 3_600_000_000]) {
      const forged = writeHead(prev + ahead, token, prev) + line('logs:t2', 'forged').body.slice(1);
      await attacker.publish(keys.plain('logs:t2'), forged);
    }
    for (let i = 1; i < 5; i++)
      published.push(...(await (brokers[i % 2] as RedisBroker).publish([line('logs:t2', `real ${i}`)])));
    await scene.flush('logs:t2');
    await expectWhole(scene, 'logs:t2');
    for (const ear of ears) {
      const shown = on(ear, 'logs:t2').filter(({ entry }) => entry.msg.startsWith('real'));
      expect(ids(shown)).toEqual(published);
      // Each forgery is an entry of its own, with a number that the log has given.
      expect(on(ear, 'logs:t2').filter(({ entry }) => entry.msg === 'forged')).toHaveLength(3);
    }
  });

  it('makes an entry of its own by a copy of another, and a gap by nothing', async () => {
    const scene = await setUp(mode);
    const { brokers, ears, attacker, keys, token } = scene;
    await brokers[0].publish([line('logs:a', 'original')]);
    for (const ear of ears) await ear.heard(({ msgs }) => msgs.includes('original'));
    const { data, n } = ears[0].records.find(({ entry }) => entry.msg === 'original') as LogRecord;
    // Right behind the entry, as an echo would come; twice; and with the line feed of an announcement.
    for (const copy of [data, data, Buffer.concat([data, Buffer.from('\n')])])
      await attacker.publish(keys.plain('logs:a'), copy);
    const missing = writeHead(n + 2_000_000, token, n + 1_000_000) + line('logs:a', 'x').body.slice(1);
    await attacker.publish(keys.plain('logs:a'), missing);
    await scene.flush('logs:a');
    await expectWhole(scene, 'logs:a');
    for (const ear of ears) {
      expect(ear.msgs.filter((msg) => msg === 'original')).toHaveLength(4);
      expect(ids(ear.records).filter((id) => id === ids([...ear.records]).at(-1))).toHaveLength(1);
    }
  });

  it('reaches neither announcements nor ticks nor the news of the lease', async () => {
    const { attacker, keys, token, ears } = await setUp(mode);
    const ticks = (await stage.redis.pubsub('CHANNELS', `${keys.prefix}#tick:*`)) as string[];
    expect(ticks).toHaveLength(2);
    for (const name of [...ticks, keys.announced('logs:a'), keys.announced('x'), keys.leaseNews])
      await expect(attacker.publish(name, `1 ${token} - 1 1`)).rejects.toThrow(/NOPERM/);
    for (const command of [
      ['GET', `${keys.prefix}adopter`],
      ['SUBSCRIBE', keys.plain('logs:a')],
      ['PSUBSCRIBE', '*'],
      ['EVAL', 'return 1', '0'],
      ['HSET', `${keys.prefix}log`, 'n', '1'],
    ] as [string, ...string[]][])
      await expect(attacker.call(...command)).rejects.toThrow(/NOPERM/);
    expect(ears.map(({ gaps }) => gaps)).toEqual([[], []]);
  });

  it('46: whatever it sends beside real writers: each entry comes once, in order, with nothing missing', async () => {
    const scene = await setUp(mode);
    const { brokers, attacker, keys, token, ears } = scene;
    const CHANNELS = ['logs:a', 'logs:b', 'logs:a:b', 'other:a'];
    const published = new Map<string, string[]>();
    const honest = new Map<string, string[]>();
    let count = 0;

    await fc.assert(
      fc.asyncProperty(fc.array(acts(CHANNELS), { minLength: 5, maxLength: 60 }), async (script) => {
        const under: Promise<unknown>[] = [];
        for (const act of script) {
          if (act.do === 'publish') {
            const drafts = Array.from({ length: act.count }, () => line(act.channel, `real ${count++}`));
            under.push(
              (brokers[act.by] as RedisBroker)
                .publish(drafts)
                .then((given) =>
                  published.set(act.channel, [...(published.get(act.channel) ?? []), ...(given as string[])]),
                ),
            );
          } else if (act.do === 'say') {
            const text = `honest ${count++}`;
            honest.set(act.channel, [...(honest.get(act.channel) ?? []), text]);
            under.push(attacker.publish(keys.plain(act.channel), text));
          } else if (act.do === 'wait') {
            await Promise.all(under.splice(0));
          } else {
            const known = (ears[act.of] as Ear).records;
            const copied = known[known.length - 1 - (act.back % known.length)] as LogRecord;
            under.push(attacker.publish(plainName(keys, act.on, act.channel), forge(act, copied, token)));
          }
        }
        await Promise.all(under);
        for (const channel of ['logs:a', 'logs:b', 'logs:a:b']) await scene.flush(channel);
      }),
      { numRuns: 20, interruptAfterTimeLimit: 30_000 },
    );

    const last = await brokers[0].publish([line('other:a', 'end')]);
    published.set('other:a', [...(published.get('other:a') ?? []), ...(last as string[])]);
    for (const ear of ears) await ear.heard((e) => ids(e.records).includes(last[0] as string));
    for (const channel of CHANNELS) {
      await expectWhole(scene, channel);
      const real = (published.get(channel) ?? []).sort(byPosition);
      for (const ear of ears) {
        const wanted = new Set(real);
        expect(ids(on(ear, channel)).filter((id) => wanted.has(id as string))).toEqual(real);
        if (channel === 'other:a') continue; // nobody adopts there
        const said = on(ear, channel).map(({ entry }) => entry.msg);
        expect(said.filter((msg) => msg.startsWith('honest'))).toEqual(
          expect.arrayContaining(honest.get(channel) ?? []),
        );
      }
    }
    // Over all channels, entries come in the order of their numbers, and none has a number ahead of the log.
    const head = await brokers[0].head();
    for (const ear of ears) {
      const numbers = ear.records.flatMap(({ id, n }) => (id === null ? [] : [n]));
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(Math.max(...numbers, ...ear.positions)).toBeLessThanOrEqual(head);
      expect(ear.gaps).toEqual([]);
    }
  }, 120_000);
});

const byPosition = (a: string, b: string) => (parsePosition(a) as Position) - (parsePosition(b) as Position);

type Attack = {
  do: 'attack';
  kind: 'copy' | 'bytes' | 'head' | 'mutate' | 'tick' | 'lease' | 'announcement';
  of: 0 | 1;
  back: number;
  channel: string;
  /** On which name: that of the channel, another one, or one that looks like the log's own. */
  on: 'plain' | 'odd';
  shift: number;
  prev: number;
  noise: Uint8Array;
};
type Act =
  | { do: 'publish'; channel: string; count: number; by: 0 | 1 }
  | { do: 'say'; channel: string }
  | { do: 'wait' }
  | Attack;

function acts(channels: readonly string[]): fc.Arbitrary<Act> {
  const channel = fc.constantFrom(...channels);
  const one = fc.constantFrom(0 as const, 1 as const);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('publish' as const),
        channel,
        count: fc.integer({ min: 1, max: 5 }),
        by: one,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('say' as const), channel }) },
    { weight: 1, arbitrary: fc.constant<Act>({ do: 'wait' }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('attack' as const),
        kind: fc.constantFrom('copy', 'bytes', 'head', 'mutate', 'tick', 'lease', 'announcement'),
        of: one,
        back: fc.nat(5),
        channel,
        on: fc.constantFrom('plain', 'plain', 'plain', 'odd'),
        shift: fc.constantFrom(-1_000_000, -1, 0, 1, 2, 1_500_000, 60_000_000, 3_600_000_000),
        prev: fc.constantFrom(0, -1, 1, 1_000_000),
        noise: fc.uint8Array({ maxLength: 40 }),
      }) as fc.Arbitrary<Attack>,
    },
  );
}

function plainName(keys: RedisKeys, on: Attack['on'], channel: string): string {
  return on === 'plain' ? keys.plain(channel) : `${keys.plainPrefix}logs:=${channel}`;
}

function forge({ kind, shift, prev, noise, channel }: Attack, copied: LogRecord, token: string): Buffer {
  const n = copied.n + shift;
  switch (kind) {
    case 'copy':
      return copied.data;
    case 'announcement':
      return Buffer.concat([copied.data, Buffer.from('\n')]);
    case 'mutate': {
      const data = Buffer.from(copied.data);
      noise.forEach((byte, i) => {
        data[(byte * 7 + i * 13) % data.length] = byte;
      });
      return data;
    }
    case 'head':
      return Buffer.from(
        writeHead(n, token, Math.max(0, copied.n + prev)) + line(channel, 'forged').body.slice(1),
      );
    case 'tick':
      return Buffer.from(`${n} ${token} - 999999 ${timeOf(Math.max(1, n))}`);
    case 'lease':
      return Buffer.from(shift > 0 ? 'attacker:999' : '');
    case 'bytes':
      return Buffer.from(noise);
  }
}
