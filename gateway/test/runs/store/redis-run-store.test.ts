import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { RedisRunStore } from '../../../src/runs/store/redis-run-store.ts';
import { testRunStore } from './run-store-conformance.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ args: ['--maxmemory-policy', 'noeviction'] });
});
afterAll(() => redis.stop());

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const make = (namespace = randomNamespace(), retention = DEFAULT_RETENTION) => {
  const store = () => new RedisRunStore(new RedisClient(redis.url, 'runs', undefined), namespace, retention);
  const made = {
    store: store(),
    other: store(),
    broker: new RedisBroker({ url: redis.url, namespace, retention }),
  };
  open.push(made.store, made.other, made.broker);
  return made;
};

testRunStore(async () => make());

const totals = { inputTokens: 0, outputTokens: 0, durationMs: 0 };
const key = (id: string) => ownedKey('', id);
const facts = { owner: '', fingerprint: 'f', gateway: 'gw', promptVersion: 'v', lanes: [] };
const says = (msg: string) => [draft({ time: 1, channel: 'runs:m1', source: 'test', level: 'info', msg })];

it('a run that the log refuses has never begun', async () => {
  const { store } = make(undefined, { ...DEFAULT_RETENTION, maxChannels: 0 });
  await expect(store.begin({ ...facts, id: 'm1' }, 't', says('begin'))).rejects.toMatchObject({
    code: 'too_many_channels',
  });
  expect(await store.get(key('m1'))).toBeUndefined();
});

it('a run can end where the memory is full', async () => {
  const { store, other } = make();
  await store.begin({ ...facts, id: 'm1' }, 't', says('begin'));
  await configure('maxmemory', '1');
  try {
    await expect(store.append(key('m1'), 't', says('more'))).rejects.toMatchObject({ code: 'log_full' });
    expect(
      await other.end(key('m1'), { state: 'failed', code: 'log_full', totals }, says('end'), { token: 't' }),
    ).toBe(true);
  } finally {
    await configure('maxmemory', '0');
  }
});

it('an id is a value and never a pattern or a script', async () => {
  const { store, other } = make();
  const id = 'a*:"]) redis.call("FLUSHALL") --';
  await store.begin({ ...facts, id }, 't', []);
  expect((await other.get(key(id)))?.state).toBe('running');
  expect(await other.get(key('a*'))).toBeUndefined();
});

async function configure(name: string, value: string): Promise<void> {
  const { connect } = await import('node:net');
  const socket = connect(redis.port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve());
    socket.once('error', reject);
    socket.write(`CONFIG SET ${name} ${value}\r\n`);
  });
  socket.destroy();
}

it('records and lists of a log from before runs had owners are those of nobody', async () => {
  const namespace = randomNamespace();
  const { store } = make(namespace);
  const client = new RedisClient(redis.url, 'test', undefined);
  await client.runId(10_000);
  const under = (name: string) => `{${namespace}}:${name}`;
  const fields = { state: 'running', token: 't', renewed: 7, started: 1, fingerprint: 'f', lanes: '[]' };
  await client.redis.hset(under('run:old'), fields);
  await client.redis.zadd(under('runs'), 1, 'old');
  await client.redis.sadd(under('running'), 'old');
  await store.begin({ ...facts, owner: 'alice', id: 'old' }, 'token', []);
  expect((await store.list(10)).map(({ owner, id }) => [owner, id])).toEqual([
    ['alice', 'old'],
    ['', 'old'],
  ]);
  expect((await store.running()).map((run) => run.key).sort()).toEqual(['alice/old', 'old']);
  await store.append(key('old'), 't', []);
  expect(await store.end(key('old'), { state: 'lost', totals }, [], { renewed: 8 })).toBe(true);
  expect(await store.get(key('old'))).toMatchObject({ owner: '', state: 'lost' });
  expect(await store.get(ownedKey('alice', 'old'))).toMatchObject({ state: 'running' });
  client.close();
});

it('of an owner whose records are gone nothing is left', async () => {
  const namespace = randomNamespace();
  const idleMs = 1_500;
  const prefixes = [{ prefix: 'runs:', entries: 100, idleMs }];
  const { store } = make(namespace, { ...DEFAULT_RETENTION, prefixes });
  const client = new RedisClient(redis.url, 'test', undefined);
  await client.runId(10_000);
  await store.begin({ ...facts, owner: 'alice', id: 'm1' }, 't', []);
  await store.end(ownedKey('alice', 'm1'), { state: 'finished', totals }, [], 'anybody');
  const left = () => client.redis.keys(`{${namespace}}:run*`);
  expect((await left()).sort()).toEqual(
    ['run-owners', 'run:alice/m1', 'runs:alice'].map((name) => `{${namespace}}:${name}`),
  );
  await vi.waitFor(async () => expect(await left()).toEqual([]), { timeout: 10_000, interval: 50 });
  client.close();
});

it('what other programs have written under the keys of runs is no run, and is refused by name', async () => {
  const namespace = randomNamespace();
  const { store } = make(namespace);
  const client = new RedisClient(redis.url, 'test', undefined);
  await client.runId(10_000);
  const redisKey = (name: string) => `{${namespace}}:${name}`;
  await store.begin({ ...facts, id: 'good' }, 't', []);
  const broken = { lanes: '{', nulls: '[null]', nameless: '[{}]' };
  for (const id of ['hash', 'text', ...Object.keys(broken)])
    await client.redis.zadd(redisKey('runs'), Date.now() + 1_000, id);
  await client.redis.hset(redisKey('run:hash'), 'a', 'b');
  for (const [id, lanes] of Object.entries(broken))
    await client.redis.hset(redisKey(`run:${id}`), 'state', 'running', 'lanes', lanes, 'started', 'nan');
  await client.redis.set(redisKey('run:text'), 'mine');
  expect((await store.list(10)).map(({ id }) => id)).toEqual(['good']);
  expect(await store.get(key('hash'))).toBeUndefined();
  await expect(store.begin({ ...facts, id: 'text' }, 't', says('begin'))).rejects.toMatchObject({
    code: 'channel_unusable',
  });
  await client.redis.hset(redisKey('run:good'), 'renewed', 'often');
  await expect(store.append(key('good'), 't', says('more'))).rejects.toMatchObject({
    code: 'channel_unusable',
  });
  expect(await client.redis.keys(redisKey('ch:*'))).toEqual([]);
  client.close();
});
