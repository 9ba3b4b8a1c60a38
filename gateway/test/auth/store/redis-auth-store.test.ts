import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import type { AuthStore } from '../../../src/auth/store/auth-store.ts';
import { RedisAuthStore } from '../../../src/auth/store/redis-auth-store.ts';
import { apiKey, session, testAuthStore, user } from './conformance.ts';

let redis: RedisServer;
let client: Redis;
beforeAll(async () => {
  redis = await startRedis({ args: ['--maxmemory-policy', 'noeviction'] });
  client = new Redis(redis.url);
});
afterAll(async () => {
  client.disconnect();
  await redis.stop();
});

const open: AuthStore[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
});

function make(url = redis.url, namespace = randomNamespace()) {
  const store = () => RedisAuthStore.at(url, namespace);
  const made = { store: store(), other: store(), namespace };
  open.push(made.store, made.other);
  return made;
}

testAuthStore(async () => make());

describe('in Redis', () => {
  it('28: a state from before a revocation brings no ended session back, and says that anybody may have changed', async () => {
    const { store, other, namespace } = make();
    await store.addUser(user('alice'));
    const stolen = session('s1', 'alice');
    await store.addSession(stolen);
    await store.addUser(user('bob'));
    const dump = await snapshot(namespace);

    await store.endSessions('alice');
    const seen = await other.revision();
    await restore(dump);
    // The first question after the restore, whatever it is about.
    expect(await other.sessionByDigest(stolen.digest, Date.now())).toBeUndefined();
    expect(await store.sessionsOf('alice')).toEqual([]);
    const change = await other.changesSince(seen);
    expect(change.principals).toEqual(['*']);
    expect(change.revision).toBeGreaterThan(seen);

    const begun = session('s2', 'alice'); // who signs in anew stays
    await store.addSession(begun);
    expect(await other.sessionByDigest(begun.digest, Date.now())).toEqual(begun);
    expect(await other.changesSince(change.revision)).toMatchObject({ principals: [] });
  });

  it('28: a state that was restored and then changed is noticed, too', async () => {
    const { store, other, namespace } = make();
    await store.addUser(user('alice'));
    const dump = await snapshot(namespace);
    await store.changeUser('alice', { role: 'viewer' });
    const seen = await store.revision();
    await restore(dump);
    await other.addUser(user('bob')); // by a process that has seen nothing of it
    expect(await store.revision()).toBeGreaterThan(seen);
    expect((await store.changesSince(seen)).principals).toEqual(['*']);
  });

  it('a wiped Redis has nobody, and says so', async () => {
    const { store, namespace } = make();
    await store.addUser(user('alice'));
    const seen = await store.revision();
    await wipe(namespace);
    expect(await store.user('alice')).toBeUndefined();
    expect((await store.changesSince(seen)).principals).toEqual(['*']);
  });

  it('rights can be taken away where the memory is full', async () => {
    const { store } = make();
    await store.addUser(user('alice'));
    await store.addKey(apiKey('8f3k2m1p'));
    const begun = session('s1', 'alice');
    await store.addSession(begun);
    await client.config('SET', 'maxmemory', '1');
    try {
      expect(await store.revokeKey('8f3k2m1p')).toBe(true);
      expect(await store.changeUser('alice', { disabled: true })).toBe(true);
      expect(await store.sessionByDigest(begun.digest, Date.now())).toBeUndefined();
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
  });

  it('a record that another program wrote is nobody', async () => {
    const { store, namespace } = make();
    await store.addUser(user('alice'));
    for (const [name, json] of Object.entries({ x: 'no JSON', y: '{"name":"y"}', z: 'null', w: '[]' }))
      await client.hset(`{${namespace}}:auth:users`, name, json);
    expect(await store.users()).toEqual([user('alice')]);
    expect(await store.user('y')).toBeUndefined();
    expect(await store.changeUser('x', { role: 'admin' })).toBe(false);
    expect(await store.deleteRole('none')).toBe(false);
  });

  it('sessions expire in Redis by themselves', async () => {
    const { store, namespace } = make();
    const begun = session('s1', 'alice');
    await store.addSession(begun);
    const ends = Number(await client.call('PEXPIRETIME', `{${namespace}}:auth:session:${begun.digest}`));
    expect(ends).toBe(begun.seen + 12 * 3_600_000 + 1);
    await store.sessionUsed(begun.digest, begun.seen + 60_000);
    expect(Number(await client.call('PEXPIRETIME', `{${namespace}}:auth:session:${begun.digest}`))).toBe(
      ends + 60_000,
    );
    await store.sessionUsed(begun.digest, begun.expires - 1);
    expect(Number(await client.call('PEXPIRETIME', `{${namespace}}:auth:session:${begun.digest}`))).toBe(
      begun.expires,
    );
  });

  it('another namespace has people of its own', async () => {
    const one = make();
    const other = make();
    await one.store.addUser(user('alice'));
    expect(await other.store.users()).toEqual([]);
  });

  it.each<[string, (store: AuthStore) => Promise<unknown>]>([
    ['a session', (store) => store.sessionByDigest(session('s1', 'alice').digest, Date.now())],
    ['a key', (store) => store.keyByDigest(apiKey('8f3k2m1p').digest)],
    ['a person', (store) => store.user('alice')],
    ['the revision', (store) => store.revision()],
    ['a change', (store) => store.revokeKey('8f3k2m1p')],
  ])(
    '27: while Redis is gone, %s is not unknown but unavailable, and found when it is back',
    async (_, ask) => {
      const server = await startRedis();
      try {
        const { store } = make(server.url);
        await store.addUser(user('alice'));
        const before = await store.revision();
        await server.kill();
        await expect(ask(store)).rejects.toMatchObject({ code: 'broker_unavailable' });
        await server.restart(); // empty: it saved nothing
        const revision = await eventually('it answers again', () => store.revision());
        expect(revision).toBeGreaterThan(before);
      } finally {
        await server.stop();
      }
    },
  );

  it('27: while Redis is paused nobody is unknown', async () => {
    const server = await startRedis();
    try {
      const { store } = make(server.url);
      await store.addUser(user('alice'));
      server.pause();
      await expect(store.user('alice')).rejects.toMatchObject({ code: 'broker_unavailable' });
      server.resume();
      expect(await store.user('alice')).toEqual(user('alice'));
    } finally {
      await server.stop();
    }
  }, 30_000);

  it('whoever listens is told after an interruption, because an announcement may have been lost', async () => {
    const server = await startRedis();
    try {
      const { store } = make(server.url);
      let heard = 0;
      let tell = Promise.withResolvers<void>();
      store.onChange(() => {
        heard++;
        tell.resolve();
      });
      await tell.promise;
      tell = Promise.withResolvers<void>();
      await server.restart();
      await tell.promise;
      expect(heard).toBeGreaterThan(1);
    } finally {
      await server.stop();
    }
  });
});

async function snapshot(namespace: string): Promise<Map<string, Buffer | null>> {
  const keys = await client.keys(`{${namespace}}:auth*`);
  return new Map(await Promise.all(keys.map(async (key) => [key, await client.dumpBuffer(key)] as const)));
}

async function restore(dump: ReadonlyMap<string, Buffer | null>): Promise<void> {
  const [first = ''] = dump.keys();
  await wipe(first.slice(1, first.indexOf('}')));
  for (const [key, value] of dump) if (value !== null) await client.restore(key, 0, value);
}

async function wipe(namespace: string): Promise<void> {
  const keys = await client.keys(`{${namespace}}:*`);
  if (keys.length > 0) await client.del(...keys);
}
