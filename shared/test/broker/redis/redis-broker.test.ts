// The log in Redis, against a real redis-server: the contract, and what only several processes and faults show.

import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import { parsePosition, positionAt } from '../../../src/broker/position.ts';
import { RedisJanitor } from '../../../src/broker/redis/janitor.ts';
import { RedisKeys } from '../../../src/broker/redis/keys.ts';
import { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from '../../../src/broker/retention.ts';
import { Ear, line, testBroker } from '../conformance.ts';
import { redisStage } from './redis-stage.ts';

const stage = redisStage();

describe('RedisBroker', () => {
  /** The contract, with and without echoes on plain names. */
  describe.each([false, true])('where plainChannels is %s', (plainChannels) => {
    const made = new Map<Broker, { namespace: string; retention: RetentionPolicy }>();
    testBroker(
      async (options = {}) => {
        const namespace = randomNamespace();
        const retention = { ...DEFAULT_RETENTION, ...options.retention };
        const broker = await stage.broker({ namespace, retention, plainChannels });
        made.set(broker, { namespace, retention });
        return broker;
      },
      async (broker, channel) => {
        const { namespace, retention } = made.get(broker) ?? expect.fail('another broker');
        await stage.redis.del(`{${namespace}}:ch:${channel}`);
        await new RedisJanitor(await stage.client(), new RedisKeys(namespace), retention, undefined).sweep();
        expect((await broker.channels('*')).map((info) => info.channel)).not.toContain(channel);
      },
    );
  });

  it.each([
    ['llm', undefined, 'logs:errors', true],
    ['llm', false, 'logs:errors', false],
    ['team', undefined, '{team}:logs:errors', false],
    ['team', true, '{team}:logs:errors', true],
  ] as const)(
    'in %s, with plainChannels %s, plain subscribers of %s hear entries: %s',
    async (namespace, plainChannels, name, isHeard) => {
      const broker = await stage.broker({ namespace, ...(plainChannels !== undefined && { plainChannels }) });
      const plain = new Redis(stage.server.url);
      const heard: string[] = [];
      const end = Promise.withResolvers<void>();
      plain.on('pmessage', (_, channel: string, text: string) => {
        if (text === 'end') end.resolve();
        else if (!channel.startsWith(`{${namespace}}:=`) && !channel.includes('#')) heard.push(text);
      });
      await plain.psubscribe('*');
      await broker.publish([line('logs:errors', 'boom'), line('runs:r', 'a prompt')]);
      await stage.redis.publish(name, 'end');
      await end.promise;
      const { items } = await broker.readPage({ channels: ['logs:errors'], after: 0, limit: 1_000 });
      // The same bytes as in history, and never those of a reserved channel.
      expect(heard).toEqual(isHeard ? [items.at(-1)?.record?.data.toString()] : []);
      plain.disconnect();
    },
  );

  it('shows an entry once, and adopts no echo, on channels that it adopts and on others', async () => {
    const broker = await stage.broker({ namespace: 'llm', adopt: ['logs*'] });
    const ears = [new Ear(), new Ear(), new Ear()] as const;
    await broker.subscribe(['logs:once', 'other:once', '*'], ears[0]);
    await broker.subscribe(['*once', 'l*', 'o*'], ears[1]);
    await broker.subscribe(['other:once'], ears[2]);
    await expect.poll(() => stage.redis.get('{llm}:adopter')).not.toBeNull();
    for (let i = 0; i < 10; i++)
      await broker.publish([
        line('logs:once', `a${i}`),
        line('other:once', `b${i}`),
        line('logs:once', 'end'),
      ]);
    await stage.redis.publish('logs:once', 'last');
    for (const ear of ears.slice(0, 2)) {
      await ear.heard(({ msgs }) => msgs.includes('last'));
      expect(ear.records).toHaveLength(31);
      expect(new Set(ear.records.map(({ id }) => id)).size).toBe(31);
    }
    expect(ears[2].records).toHaveLength(10);
    expect(broker.status().adopted).toBe(1);
  });

  it('ten restarts in a row leave the positions a minute ahead of the clock, and not ten', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    const positions: number[] = [];
    for (let i = 0; i < 10; i++) {
      await stage.redis.hset(`{${namespace}}:log`, 'run', `server ${i}`);
      const [id] = await broker.publish([line('a', `${i}`)]);
      positions.push(parsePosition(id ?? '') ?? 0);
    }
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    const second = 1_000_000;
    expect((positions.at(-1) ?? 0) - positionAt(Date.now())).toBeLessThan(75 * second);
  });

  it('a time in the minute that a restart of the server skipped is no proof of a loss', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    await broker.publish([line('a', 'before')]);
    await stage.redis.hset(`{${namespace}}:log`, 'run', 'another server');
    await broker.publish([line('a', 'after')]);
    const after = await broker.positionAtTime(Date.now() + 1_000);
    const { items } = await broker.readPage({ channels: ['a'], after, limit: 10 });
    expect(items.map(({ record, gap }) => record?.entry.msg ?? gap?.reason)).toEqual(['after']);
  });

  it.each([
    '{"time": 1795224320000, "channel": "logs", "source": "py", "level": "info", "msg": "as Python writes it"}',
    '{"level":"info","msg":"in another order","source":"js","channel":"logs","time":1795224320000}',
    '{"time":1795224320000,"channel":"logs","source":"js","level":"info","msg":"as the log writes it"}',
  ])('shows and stores an adopted entry once, however it is written: %s', async (text) => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace, adopt: ['logs'] });
    const ear = new Ear();
    await broker.subscribe(['logs'], ear);
    await expect.poll(() => stage.redis.get(`{${namespace}}:adopter`)).not.toBeNull();
    await stage.redis.publish(`{${namespace}}:logs`, text);
    const { msg } = JSON.parse(text) as { msg: string };
    await ear.heard(({ msgs }) => msgs.includes(msg));
    const ticks = ear.positions.length;
    await ear.heard(({ positions }) => positions.length >= ticks + 2);
    expect(ear.msgs).toEqual([msg]);
    const { items } = await broker.readPage({ channels: ['logs'], after: 0, limit: 10 });
    expect(items.map(({ record }) => record?.entry.msg)).toEqual([msg]);
  });

  it('raises a reader’s bound among lost positions to their end', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    await broker.publish([line('a', 'kept')]);
    const restored = await broker.head();
    await stage.redis.hset(`{${namespace}}:log`, 'run', 'another server');
    const lifted = await broker.head();
    const page = await broker.readPage({
      channels: ['a'],
      after: restored + 1,
      upTo: restored + 2,
      limit: 10,
    });
    const gap = { channel: null, after: restored, before: lifted + 1, reason: 'rollback', missed: null };
    expect(page).toEqual({ items: [{ gap }], next: lifted, done: true });
    const on = await broker.readPage({ channels: ['a'], after: page.next, limit: 10 });
    expect(on.items).toEqual([]);
  });

  it('says of a gap whether the bound by bytes took the entries, or time', async () => {
    const namespace = randomNamespace();
    const keys = new RedisKeys(namespace);
    const broker = await stage.broker({ namespace });
    const after = await broker.head();
    const batch = Array.from({ length: 500 }, (_, i) => line('a', `${i}`));
    const reasons = async () => {
      const { items } = await broker.readPage({ channels: ['a'], after, limit: 1_000 });
      return items.flatMap(({ gap }) => (gap ? [gap.reason] : []));
    };
    await broker.publish(batch);
    expect(await reasons()).toEqual([]);
    const tight = { ...DEFAULT_RETENTION, maxBytes: 30_000 };
    await new RedisJanitor(await stage.client(), keys, tight, undefined).sweep();
    expect(await stage.redis.xlen(keys.stream('a'))).toBeGreaterThan(0);
    expect(await reasons()).toEqual(['trimmed']);
    const none = { ...DEFAULT_RETENTION, maxBytes: 1 };
    await new RedisJanitor(await stage.client(), keys, none, undefined).sweep();
    expect(await reasons()).toEqual(['trimmed']);
    await stage.redis.del(keys.stream('a')); // as its time to live does
    expect(await reasons()).toEqual(['expired']);
    await broker.publish([line('a', 'again')]);
    expect(await reasons()).toEqual(['expired']);
    expect(await broker.channels('a')).toMatchObject([{ entries: 1, total: 1 }]);
  });

  describe('keeps the entries of a channel for their time after the newest, and hardly longer', () => {
    const idle = (idleMs: number) => ({ ...DEFAULT_RETENTION, default: { entries: 100, idleMs } });

    it.each([
      ['when its stream was deleted', (key: string) => stage.redis.del(key)],
      [
        'when the numbers are ahead of the clock, since the server started anew',
        (key: string) => stage.redis.hset(key.replace('ch:a', 'log'), 'run', 'another server'),
      ],
    ])('%s', async (_, prepare) => {
      const namespace = randomNamespace();
      const key = `{${namespace}}:ch:a`;
      const broker = await stage.broker({ namespace, retention: idle(320) });
      await broker.publish([line('a', 'before')]);
      await prepare(key);
      const began = performance.now();
      for (let i = 0; performance.now() - began < 1_000; i++) {
        const published = performance.now();
        await broker.publish([line('a', `${i}`)]);
        const left = await stage.redis.pttl(key);
        expect(left + (performance.now() - published)).toBeGreaterThanOrEqual(320 - 1); // PTTL rounds
        expect(left).toBeLessThanOrEqual(320 + 40);
      }
      await eventually('its time', async () => (await stage.redis.exists(key)) === 0);
      expect(await broker.channels('a')).toMatchObject([{ entries: 0, total: 0 }]);
    });

    it('when its time was raised', async () => {
      const namespace = randomNamespace();
      const broker = await stage.broker({ namespace, retention: idle(2_000) });
      await broker.publish([line('a', 'before')]);
      const raised = await stage.broker({ namespace, retention: idle(60_000) });
      await eventually('the new time', async () => {
        await raised.publish([line('a', 'on')]);
        return (await stage.redis.pttl(`{${namespace}}:ch:a`)) > 59_000;
      });
      const [a] = await raised.channels('a');
      expect(a?.entries).toBe(a?.total);
    });
  });

  it('reads and lists by patterns before it was opened, too', async () => {
    const namespace = randomNamespace();
    await (await stage.broker({ namespace })).publish([line('a', 'x')]);
    for (const ask of [
      async (broker: Broker) => (await broker.readPage({ channels: ['*'], after: 0, limit: 1 })).items,
      (broker: Broker) => broker.channels('*'),
    ]) {
      const broker = new RedisBroker({ url: stage.server.url, namespace });
      expect(await ask(broker)).toHaveLength(1);
      await broker.close();
    }
  });

  it('reads no page over very many channels that was abandoned while it waited', async () => {
    const broker = await stage.broker();
    const drafts = Array.from({ length: 1_200 }, (_, i) => line(`c${i}`, 'x'));
    for (let i = 0; i < drafts.length; i += 400) await broker.publish(drafts.slice(i, i + 400));
    const query = { channels: ['c*'], after: 0, limit: 2_000 };
    expect((await broker.readPage({ ...query, isAbandoned: () => false })).items).toHaveLength(1_200);
    const none = { items: [], next: 0, done: false };
    expect(await broker.readPage({ ...query, isAbandoned: () => true })).toEqual(none);
  });

  it('shows two processes the same stream', async () => {
    const namespace = randomNamespace();
    const [one, two] = [await stage.broker({ namespace }), await stage.broker({ namespace })];
    const [a, b] = [new Ear(), new Ear()];
    await Promise.all([one.subscribe(['*'], a), two.subscribe(['*'], b)]);
    for (let i = 0; i < 20; i++) await (i % 2 ? one : two).publish([line('a', `${i}`)]);
    await Promise.all([a.heard((e) => e.records.length === 20), b.heard((e) => e.records.length === 20)]);
    expect(a.records.map(({ id }) => id)).toEqual(b.records.map(({ id }) => id));
  });

  it('adopts a plain PUBLISH once, numbered and stored, whichever gateway listens', async () => {
    const namespace = randomNamespace();
    const options = { namespace, adopt: ['logs*'] };
    const [one, two] = [await stage.broker(options), await stage.broker(options)];
    const ears = [new Ear(), new Ear()] as const;
    const before = await one.head();
    await Promise.all([one.subscribe(['logs', '*'], ears[0]), two.subscribe(['logs:x', 'l*'], ears[1])]);
    await untilAdopting([one, two], stage.redis, namespace);
    for (const text of ['hello <b>x</b>', '{"level":50,"msg":"pino","pid":7}'])
      await stage.redis.publish(`{${namespace}}:logs:x`, text);
    await Promise.all(
      ears.map((ear) => ear.heard((e) => e.records.filter((r) => r.channel === 'logs:x').length === 2)),
    );
    const { items } = await one.readPage({ channels: ['logs:x'], after: before, limit: 10 });
    const stored = items.map(({ record }) => record?.entry);
    expect(stored).toMatchObject([
      { channel: 'logs:x', msg: 'hello <b>x</b>', level: 'info' },
      { channel: 'logs:x', msg: 'pino', level: 'error', attrs: { pid: 7 } },
    ]);
    for (const ear of ears) {
      const ids = ear.records.filter(({ channel }) => channel === 'logs:x').map(({ id }) => id);
      expect(ids).toEqual(stored.map((entry) => entry?.id));
    }
    expect(one.status().adopted + two.status().adopted).toBe(2);
  });

  it('neither adopts nor shows a plain PUBLISH on a channel that is its own', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace, adopt: ['logs*'], ignore: ['logs:gateway'] });
    const ear = new Ear();
    await broker.subscribe(['logs*'], ear);
    await untilAdopting([broker], stage.redis, namespace);
    for (const channel of ['logs:gateway', 'logs'])
      await stage.redis.publish(`{${namespace}}:${channel}`, 'told');
    await ear.heard(({ records }) => records.length > 0);
    const { items } = await broker.readPage({ channels: ['logs*'], after: 0, limit: 10 });
    expect(items.map(({ record }) => record?.channel)).toEqual(['logs']);
    expect(ear.records.map(({ channel }) => channel)).toEqual(['logs']);
  });

  it('shows a foreign message that nobody adopts live and without an id', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    const ear = new Ear();
    await broker.subscribe(['other', 'oth*'], ear);
    await stage.redis.publish(`{${namespace}}:other`, 'WARNING: hi');
    await broker.publish([line('other', 'ours')]);
    await ear.heard(({ records }) => records.length === 2);
    expect(ear.records[0]?.id).toBeNull();
    expect(ear.records[0]?.entry).toMatchObject({ msg: 'WARNING: hi', level: 'warn' });
  });

  it('takes a copy of a stored entry, published again, for what it is: foreign', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    const ear = new Ear();
    await broker.subscribe(['a', 'b'], ear);
    await broker.publish([line('a', 'original')]);
    await ear.heard(({ records }) => records.length === 1);
    const copy = ear.records[0]?.data as Buffer;
    await stage.redis.publish(`{${namespace}}:a`, copy);
    await stage.redis.publish(`{${namespace}}:b`, copy);
    await stage.redis.publish(
      `{${namespace}}:b`,
      Buffer.from(copy.toString().replace('original', 'x\\n\n\nevent: forged')),
    );
    await ear.heard(({ records }) => records.length === 4);
    expect(ear.records.map(({ id, channel }) => [id === null, channel])).toEqual([
      [false, 'a'],
      [true, 'a'],
      [true, 'b'],
      [true, 'b'],
    ]);
    expect(ear.records.every(({ data }) => !data.includes('\n'))).toBe(true);
  });

  it('ignores foreign messages on reserved and on invalid channels', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    const ear = new Ear();
    await broker.subscribe(['runs:*', '*'], ear);
    for (const channel of ['runs:m1', 'conversations:c', 'bad channel', 'é'])
      await stage.redis.publish(`{${namespace}}:${channel}`, 'forged');
    await broker.publish([line('z', 'end')]);
    await ear.heard(({ msgs }) => msgs.at(-1) === 'end');
    expect(ear.msgs).toEqual(['end']);
  });

  it('survives the cut of all its connections: delivers what it missed, in order, once', async () => {
    const namespace = randomNamespace();
    const [writer, reader] = [await stage.broker({ namespace }), await stage.broker({ namespace })];
    const ear = new Ear();
    await reader.subscribe(['c*'], ear);
    const expected: string[] = [];
    for (let i = 0; i < 400; i++) {
      if (i % 100 === 50) await stage.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await writer.publish([line(`c${i % 3}`, `${i}`)]);
      expected.push(`${i}`);
    }
    await ear.heard(({ records }) => records.length >= 400);
    expect(ear.msgs).toEqual(expected);
    expect(ear.gaps).toEqual([]);
    await expect.poll(() => reader.status().reconnects).toBeGreaterThan(0);
  });

  it('names the reset when the log is wiped under it, and goes on', async () => {
    const own = await startRedis();
    const broker = await stage.broker({ url: own.url });
    const ear = new Ear();
    await broker.subscribe(['a'], ear);
    const admin = new Redis(own.url);
    await broker.publish([line('a', 'before')]);
    await admin.flushall();
    await broker.publish([line('a', 'after')]);
    await ear.heard(({ msgs }) => msgs.at(-1) === 'after');
    expect(ear.gaps).toMatchObject([{ channel: null, reason: 'reset' }]);
    expect(ear.msgs).toEqual(['before', 'after']);
    admin.disconnect();
    await broker.close();
    await own.stop();
  });

  it('begins a wiped log above what its listeners have got, even where that is ahead of the clock', async () => {
    const own = await startRedis();
    const namespace = randomNamespace();
    const writer = await stage.broker({ url: own.url, namespace });
    const reader = await stage.broker({ url: own.url, namespace });
    const ear = new Ear();
    await reader.subscribe(['a'], ear);
    const admin = new Redis(own.url);
    await admin.hincrby(`{${namespace}}:log`, 'n', 3_600_000_000);
    await writer.publish([line('a', 'an hour ahead')]);
    await ear.heard(({ msgs }) => msgs.length > 0);
    await writer.close();
    await admin.flushall();
    expect(await reader.head()).toBeGreaterThan(ear.records[0]?.n as number);
    admin.disconnect();
    await reader.close();
    await own.stop();
  });

  it('refuses a full log as log_full and takes entries again when there is room', async () => {
    const own = await startRedis({ args: ['--maxmemory', '3mb', '--maxmemory-policy', 'noeviction'] });
    const broker = await stage.broker({ url: own.url });
    const fill = async () => {
      for (let i = 0; i < 2_000; i++) await broker.publish([line(`c${i}`, 'x'.repeat(5_000))]);
    };
    await expect(fill()).rejects.toMatchObject({ code: 'log_full' });
    const admin = new Redis(own.url);
    await admin.config('SET', 'maxmemory', '100mb');
    expect(await broker.publish([line('a', 'room')])).toHaveLength(1);
    admin.disconnect();
    await broker.close();
    await own.stop();
  });

  it('ends a subscription after its last listener has left', async () => {
    const namespace = randomNamespace();
    const broker = await stage.broker({ namespace });
    const { close } = await broker.subscribe(['gone'], new Ear());
    const subscribers = async () => Number((await stage.redis.pubsub('NUMSUB', `{${namespace}}:gone`))[1]);
    expect(await subscribers()).toBe(1);
    close();
    await expect.poll(subscribers, { timeout: 5_000 }).toBe(0);
  });
});

async function untilAdopting(brokers: RedisBroker[], client: Redis, namespace: string): Promise<void> {
  await expect.poll(() => client.get(`{${namespace}}:adopter`), { timeout: 5_000 }).toBeTruthy();
  // Each process learns of the lease by its own subscription: two positions after the lease was taken.
  for (const broker of brokers) {
    const ear = new Ear();
    const { close } = await broker.subscribe(['nothing'], ear);
    await ear.heard(({ positions }) => positions.length >= 2);
    close();
  }
}
