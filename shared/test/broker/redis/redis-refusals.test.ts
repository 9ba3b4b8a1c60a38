// The log in Redis where others have written under its keys, or Redis refuses what it is asked: each is refused by name, or
// mended, and serves again when the cause has gone.

import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { parsePosition } from '../../../src/broker/position.ts';
import type { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import type { Logger } from '../../../src/logger.ts';
import { Ear, line } from '../conformance.ts';
import { redisStage } from './redis-stage.ts';

const stage = redisStage();
const HIGHEST = 8_000_000_000_000_000;

/** A broker, what it has logged, and its keys. */
async function broker(namespace = randomNamespace()) {
  const said: string[] = [];
  const note = (fields: unknown, text?: string) => void said.push(text ?? String(fields));
  const logger = { debug: () => {}, info: () => {}, warn: note, error: note } as unknown as Logger;
  const log = await stage.broker({ namespace, logger, adopt: ['logs*'] });
  return { log, said, namespace, key: (name: string) => `{${namespace}}:${name}` };
}

const ready = (log: RedisBroker) => expect.poll(() => log.status().ready, { timeout: 20_000 });

describe('a key of the log that holds a value of another program', () => {
  const KINDS = {
    log: 'string',
    newest: 'string',
    forgotten: 'list',
    reborn: 'string',
    rollbacks: 'string',
    ahead: 'string',
    adopter: 'list',
    leaving: 'list',
    fence: 'list',
  };

  const heals = async (name: string, kind: string) => {
    const { log, said, key } = await broker();
    await log.publish([line('a', 'before')]);
    const kept = await stage.redis.dumpBuffer(key(name));
    // In one step, since a tick in between would make the key anew.
    const taken = stage.redis.multi().del(key(name));
    await (kind === 'list' ? taken.rpush(key(name), 'mine') : taken.set(key(name), 'mine')).exec();
    await expect.poll(() => log.status().reason, { timeout: 20_000 }).toContain('UNUSABLE');
    expect(said.join('\n')).toContain(key(name));
    expect(await stage.redis.type(key(name))).toBe(kind); // it is not ours to delete

    const freed = stage.redis.multi().del(key(name));
    // The lease is not restored, since another process may have held it meanwhile.
    await (kept && name !== 'adopter' ? freed.restore(key(name), 0, kept) : freed).exec();
    await ready(log).toBe(true);
    const ear = new Ear();
    await log.subscribe(['a'], ear);
    await log.publish([line('a', 'after')]);
    await ear.heard(({ msgs }) => msgs.includes('after'));
  };

  it('is named, and nothing is ready; once it is gone, all goes on', async () => {
    await Promise.all(Object.entries(KINDS).map(([name, kind]) => heals(name, kind)));
  });

  it('a channel: it alone is refused, whole batches of it, and no number is given twice', async () => {
    const { log, said, key } = await broker();
    // The numbers are ahead of the clock, as in the minute after a restart: they rise by one.
    await stage.redis.hset(key('log'), 'n', `${(Date.now() + 60_000) * 1_000}`);
    await log.publish([line('a', '1')]);
    await stage.redis.set(key('ch:b'), 'mine');
    await expect(log.publish([line('a', '2'), line('b', '3')])).rejects.toMatchObject({
      code: 'channel_unusable',
    });
    await expect(log.publish([line('c', '4'), line('b', '5')])).rejects.toMatchObject({
      code: 'channel_unusable',
    });
    expect(said.join('\n')).toContain(key('ch:b'));
    const ear = new Ear();
    await log.subscribe(['*'], ear);
    await log.publish([line('a', '6'), line('c', '7')]);
    await ear.heard(({ msgs }) => msgs.length === 2);
    const page = await log.readPage({ channels: ['*'], after: 0, limit: 100 });
    const records = page.items.flatMap(({ record }) => record ?? []);
    expect(records.map(({ entry }) => entry.msg)).toEqual(['1', '6', '7']);
    expect(new Set(records.map(({ n }) => n)).size).toBe(3);
    expect(log.status().ready).toBe(true);
    await stage.redis.del(key('ch:b'));
    await log.publish([line('b', '8')]);
    await ear.heard(({ msgs }) => msgs.includes('8'));
  });

  it('a channel: history of all others goes on, and names what is missing of it', async () => {
    const { log, key } = await broker();
    await log.publish([line('a', '1'), line('b', '2')]);
    await stage.redis.set(key('ch:b'), 'mine');
    const { items } = await log.readPage({ channels: ['*'], after: 0, limit: 100 });
    expect(items.flatMap(({ record }) => record?.entry.msg ?? [])).toEqual(['1']);
    expect(items.flatMap(({ gap }) => gap?.channel ?? [])).toEqual(['b']);
  });

  it('a channel whose stream another program has led beyond the log’s numbers is refused, others are not', async () => {
    const { log, key } = await broker();
    await log.publish([line('a', '1')]);
    await stage.redis.xadd(key('ch:a'), '9999999999999-1', 'd', 'mine');
    await expect(log.publish([line('a', '2')])).rejects.toMatchObject({ code: 'channel_unusable' });
    await log.publish([line('b', '3')]);
  });
});

it('another program’s value under a writer’s key concerns this writer only, and is named', async () => {
  const { log, said, key } = await broker();
  await stage.redis.hset(key('writer:one'), 'f', 'v');
  const drafts = [line('a', 'm')];
  await expect(log.publish(drafts, { writer: 'one', seq: 1 })).rejects.toMatchObject({
    code: 'channel_unusable',
  });
  expect(said.join('\n')).toContain(`${key('writer:one')} holds a hash of another program`);
  expect(await log.publish(drafts, { writer: 'two', seq: 1 })).toHaveLength(1);
});

describe('a number in the log’s state that the log cannot have written', () => {
  const VALUES = ['abc', '', 'nan', 'inf', '-5', '1.5', '1e300', '9007199254740993', `${HIGHEST + 1}`, '0x'];
  const hash = (field: string) => (redis: Redis, key: (name: string) => string, value: string) =>
    redis.hset(key('log'), field, value);
  const text = (name: string) => (redis: Redis, key: (name: string) => string, value: string) =>
    redis.set(key(name), value);
  const FIELDS = {
    n: hash('n'),
    start: hash('start'),
    token: hash('token'),
    leased: hash('leased'),
    vacated: hash('vacated'),
    released: hash('released'),
    leaving: hash('leaving'),
    unsure: hash('unsure'),
    lost: hash('lost'),
    forgotten: text('forgotten'),
    fence: text('fence'),
    adopter: text('adopter'),
    last: (redis: Redis, key: (name: string) => string, value: string) =>
      redis.zadd(key('newest'), Number.isNaN(Number(value || 'x')) ? 'inf' : value, 'a').catch(() => 0),
    rollbacks: (redis: Redis, key: (name: string) => string, value: string) =>
      redis.rpush(key('rollbacks'), `${value}:${value}`, `0:${value}`, `1:2:${value}`),
    ahead: (redis: Redis, key: (name: string) => string, value: string) =>
      redis.rpush(key('ahead'), `${value}:${value}`, value),
  };

  it.each(Object.entries(FIELDS))(
    'in %s is mended: ids rise, readers hear all, a wiped log is sane',
    async (_, set) => {
      const { log, said, key } = await broker();
      const { redis } = stage;
      const ear = new Ear();
      await log.subscribe(['*'], ear);
      let highest = 0;
      const put = async (msg: string) => {
        const [id] = await log.publish([line('a', msg)]);
        const n = parsePosition(id ?? '') ?? Number.NaN;
        expect(n).toBeGreaterThan(highest);
        expect(n).toBeLessThan(HIGHEST);
        highest = n;
        await ear.heard(({ msgs }) => msgs.includes(msg));
      };
      for (const value of VALUES) {
        await put(`before ${value}`);
        await set(redis, key, value);
        await put(`${value}, first`);
        await put(`${value}, second`);
        const page = await log.readPage({ channels: ['*'], after: highest - 1, limit: 10 });
        expect(page.items.some(({ record }) => record?.entry.msg === `${value}, second`)).toBe(true);
      }
      await ready(log).toBe(true);
      for (const text of said.filter((line) => line.startsWith('redis: mended')))
        expect(text).toContain(key(''));
      await redis.del(...(await redis.keys(`${key('')}*`)));
      await put('after the log was wiped');
      // No further ahead than a few restarts of Redis would put it.
      expect(highest).toBeLessThan((Date.now() + 3_600_000) * 1_000);
    },
  );

  it('n below positions that were given out: none is given twice, and readers get a gap', async () => {
    const { log, said, key } = await broker();
    const [id] = await log.publish([line('a', '1')]);
    const start = await stage.redis.hget(key('log'), 'start');
    await stage.redis.hset(key('log'), 'n', `${start}`);
    const [next] = await log.publish([line('a', '2')]);
    expect(parsePosition(next ?? '')).toBeGreaterThan(parsePosition(id ?? '') ?? 0);
    expect(said).toContainEqual(expect.stringContaining(`mended ${key('log')}`));
  });
});

describe('what Redis refuses for a while', () => {
  const settings = (name: string, bad: string, good: string) => ({
    spoil: () => stage.redis.config('SET', name, bad),
    restore: () => stage.redis.config('SET', name, good),
  });
  const FAULTS = {
    NOREPLICAS: settings('min-replicas-to-write', '1', '0'),
    READONLY: {
      spoil: () => stage.redis.call('REPLICAOF', '127.0.0.1', '1'),
      restore: () => stage.redis.call('REPLICAOF', 'NO', 'ONE'),
    },
    NOPERM: {
      spoil: () => stage.redis.call('ACL', 'SETUSER', 'default', '-xadd'),
      restore: () => stage.redis.call('ACL', 'SETUSER', 'default', '+@all'),
    },
  };
  afterEach(async () => {
    for (const { restore } of Object.values(FAULTS)) await restore();
  });

  it.each(Object.entries(FAULTS))(
    '%s: not ready, few new connections, one line; then healed',
    async (code, fault) => {
      const { log, said } = await broker();
      const ear = new Ear();
      await log.subscribe(['a'], ear);
      await log.publish([line('a', 'before')]);
      const connections = async () =>
        Number(/total_connections_received:(\d+)/.exec(await stage.redis.info('stats'))?.[1]);
      const before = await connections();
      await fault.spoil();
      const attempts = 60;
      for (let i = 0; i < attempts; i++)
        await expect(log.publish([line('a', `${i}`)])).rejects.toMatchObject({ code: 'broker_unavailable' });
      await ready(log).toBe(false);
      // Without ticks no listener can begin. They need neither the right to add entries nor enough replicas.
      if (code === 'READONLY')
        await expect(log.subscribe(['b'], new Ear())).rejects.toMatchObject({ code: 'broker_unavailable' });
      expect((await connections()) - before).toBeLessThan(attempts / 3);
      expect(said.filter((text) => text.includes(code) || text.includes('xadd')).length).toBeLessThanOrEqual(
        3,
      );
      await fault.restore();
      await ready(log).toBe(true);
      await log.publish([line('a', 'after')]);
      await ear.heard(({ msgs }) => msgs.includes('after'));
      expect(ear.msgs).toEqual(['before', 'after']);
    },
  );
});

describe('a subscription that is cut while Redis takes no writes', () => {
  afterEach(async () => {
    await stage.redis.config('SET', 'min-replicas-to-write', '0');
  });

  it('comes back, new readers begin, and nothing is missing when writes are taken again', async () => {
    const { log, key } = await broker();
    const ear = new Ear();
    await log.subscribe(['a'], ear);
    await log.publish([line('a', 'before')]);
    await ear.heard(({ msgs }) => msgs.length === 1);
    await stage.redis.config('SET', 'min-replicas-to-write', '1');
    const before = log.status().reconnects;
    await stage.redis.client('KILL', 'TYPE', 'PUBSUB');
    await expect.poll(() => log.status().reconnects, { timeout: 20_000 }).toBe(before + 1);
    const late = new Ear();
    await log.subscribe(['logs*'], late);
    await stage.redis.config('SET', 'min-replicas-to-write', '0');
    await ready(log).toBe(true);
    await stage.redis.publish(key('logs:plain'), 'adopted');
    await late.heard(({ msgs }) => msgs.includes('adopted'));
    await log.publish([line('a', 'after')]);
    await ear.heard(({ msgs }) => msgs.includes('after'));
    expect([ear.msgs, ear.gaps]).toEqual([['before', 'after'], []]);
  });
});

describe('a Redis user who may listen to some channels only', () => {
  it('what Redis refuses is refused by name; what it allows is heard, also beside it', async () => {
    const namespace = randomNamespace();
    const allowed = ['#*', 'logs*', 'own', '=logs*', '=own'].map((pattern) => `&{${namespace}}:${pattern}`);
    await stage.redis.call(
      'ACL',
      'SETUSER',
      'some',
      'on',
      '>pass',
      '~*',
      '+@all',
      'resetchannels',
      ...allowed,
    );
    const url = stage.server.url.replace('redis://', 'redis://some:pass@');
    const log = await stage.broker({ url, namespace });
    for (const patterns of [['*'], ['logs:*'], ['other'], ['own', 'ow*'], ['own', 'logs:a', 'other']])
      await expect(log.subscribe(patterns, new Ear())).rejects.toMatchObject({
        code: 'channels_forbidden',
        message: expect.stringContaining(patterns.at(-1) as string),
      });
    const ear = new Ear();
    const both = await Promise.allSettled([
      log.subscribe(['logs*', 'own'], ear),
      log.subscribe(['l*'], new Ear()),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await log.publish([line('logs:a', '1')]);
    await log.publish([line('own', '2')]);
    await ear.heard(({ msgs }) => msgs.length === 2);
    await expect(log.publish([line('other', '3')])).rejects.toMatchObject({ code: 'channel_unusable' });
    await log.publish([line('own', '4')]);
    await ear.heard(({ msgs }) => msgs.includes('4'));
    const page = await log.readPage({ channels: ['*'], after: 0, limit: 10 });
    expect(page.items.map(({ record }) => record?.entry.msg)).toEqual(['1', '2', '4']);
    expect(log.status().ready).toBe(true);
  });
});

describe('a Redis that evicts', () => {
  afterEach(async () => {
    await stage.redis.config('SET', 'maxmemory-policy', 'noeviction');
  });

  it.each(['allkeys-lru', 'volatile-ttl', 'allkeys-random'])(
    '%s is said, also where CONFIG is forbidden',
    async (policy) => {
      await stage.redis.config('SET', 'maxmemory-policy', policy);
      await stage.redis.call('ACL', 'SETUSER', 'plain', 'on', '>pass', '~*', '&*', '+@all', '-config');
      const log = await stage.broker({ url: stage.server.url.replace('redis://', 'redis://plain:pass@') });
      expect(log.status()).toMatchObject({ ready: true, warning: expect.stringContaining(policy) });
      await stage.redis.config('SET', 'maxmemory-policy', 'noeviction');
      await expect.poll(() => log.status().warning, { timeout: 20_000 }).toBe(undefined);
    },
  );
});

describe('a Redis with a replica', () => {
  it('warns while it takes writes that no replica may have', async () => {
    const primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${primary.port}`] });
    const redis = new Redis(primary.url);
    try {
      await expect.poll(() => redis.info('replication'), { timeout: 20_000 }).toContain('state=online');
      const log = await stage.broker({ url: primary.url });
      expect(log.status()).toMatchObject({
        ready: true,
        warning: expect.stringContaining('min-replicas-to-write is 0'),
      });
      await redis.config('SET', 'min-replicas-to-write', '1');
      await expect.poll(() => log.status().warning, { timeout: 20_000 }).toBe(undefined);
      await log.close();
    } finally {
      redis.disconnect();
      await replica.stop();
      await primary.stop();
    }
  });
});
