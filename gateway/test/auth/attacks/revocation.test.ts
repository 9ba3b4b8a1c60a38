// Attacks on the end of rights: whoever has lost his rights goes on reading what he has open. Played on two gateways with one log in
// Redis, unless a test says otherwise.

import { execFileSync } from 'node:child_process';
import { hash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { SseClient } from '../../../../test-support/sse-client.ts';
import { makeApiKey } from '../../../src/auth/credentials/api-keys.ts';
import { Sessions } from '../../../src/auth/credentials/sessions.ts';
import type { Grants } from '../../../src/auth/principal.ts';
import { sessionId } from '../../../src/auth/store/auth-store.ts';
import { FileAuthStore } from '../../../src/auth/store/file-auth-store.ts';
import { RedisAuthStore } from '../../../src/auth/store/redis-auth-store.ts';
import { type AuthGateway, addUser, openAuthGateway } from '../../http/auth-gateway.ts';

/** Hears of no change: it has to look. */
class DeafStore extends RedisAuthStore {
  override onChange(): () => void {
    return () => {};
  }
}

const MAY_READ: Grants = { read: ['logs*'], publish: [], run: true, metrics: false, admin: false };

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let gateways: AuthGateway[] = [];
let stores: RedisAuthStore[] = [];
afterEach(async () => {
  for (const gateway of gateways) await gateway.close();
  for (const store of stores) await store.close();
  gateways = [];
  stores = [];
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Two gateways, each with a store of its own, and a third store for whoever revokes. */
async function openTwo(Store: typeof RedisAuthStore = RedisAuthStore, env: Record<string, string> = {}) {
  const namespace = randomNamespace();
  const connect = (label: string) => new RedisClient({ url: redis.url, namespace }, label, undefined);
  stores = [Store, Store, RedisAuthStore].map((Kind) => new Kind(connect, namespace));
  const [first, second, admin] = stores as [RedisAuthStore, RedisAuthStore, RedisAuthStore];
  await addUser(admin, 'alice');
  await addUser(admin, 'bob');
  const all = { REDIS_URL: redis.url, NAMESPACE: namespace, ...env };
  // Its runs take longer than any test.
  const slow = { simulator: { tokenMs: 500 } };
  gateways = [await openAuthGateway(all, first, slow), await openAuthGateway(all, second, slow)];
  const begin = async (user: string) => {
    const { token, session } = await new Sessions(admin).begin({ user, address: '', agent: '' });
    return { token, id: sessionId(session) };
  };
  return { first: gateways[0] as AuthGateway, second: gateways[1] as AuthGateway, admin, begin };
}

/** POST /api/process of a run that does not end by itself. */
function process(
  gateway: AuthGateway,
  token: string,
  id: string,
): Promise<{ text(): string; closed(): boolean }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ text(): string; closed(): boolean }>();
  const headers = { ...bearer(token), 'content-type': 'application/json' };
  const asked = request(`${gateway.url}/api/process`, { method: 'POST', headers, agent: false });
  asked.on('response', (response) => {
    let [text, closed] = ['', false];
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response
      .on('error', () => {})
      .on('close', () => {
        closed = true;
      });
    resolve({ text: () => text, closed: () => closed });
  });
  asked.on('error', reject).end(JSON.stringify({ message: 'hello', message_id: id }));
  return promise;
}

/** Five streams on two gateways: live, compressed, lagging, of a run, and of POST /api/process. */
async function fiveStreams(first: AuthGateway, second: AuthGateway, token: string) {
  const headers = bearer(token);
  const answer = await process(first, token, 'm1');
  await eventually('the run has begun', () => answer.text().includes('event:'));
  const streams = [
    await first.view('channels=logs*', { headers }),
    await second.view('channels=logs*', { headers: { ...headers, 'accept-encoding': 'gzip' } }),
    await second.view('channels=logs*', { headers }),
    await SseClient.open(`${first.url}/api/runs/m1/stream`, { headers }),
  ];
  for (const stream of streams) expect(stream.status).toBe(200);
  for (const stream of streams.slice(0, 3)) await stream.saw('live');
  // The third reads nothing any more, and gets more than its socket takes.
  streams[2]?.pause();
  const big = 'x'.repeat(60_000);
  for (let i = 0; i < 200 && (await health(second, token)).lagging === 0; i++)
    await first.broker.publish([line('logs:big', big), line('logs:big', big), line('logs:big', big)]);
  expect((await health(second, token)).lagging).toBeGreaterThan(0);
  return { streams, answer };
}

async function health(gateway: AuthGateway, token: string): Promise<Record<string, number>> {
  const response = await fetch(`${gateway.url}/sse/health`, { headers: bearer(token) });
  return (await response.json()) as Record<string, number>;
}

type Losing = (admin: RedisAuthStore, alice: { token: string; id: string }) => Promise<unknown>;
const losses: [string, string, Losing][] = [
  ['signs out', 'session_ended', (admin, { id }) => admin.endSession('alice', id)],
  ['is disabled', 'revoked', (admin) => admin.changeUser('alice', { disabled: true })],
  ['is deleted', 'revoked', (admin) => admin.deleteUser('alice')],
  ['gets a lower role', 'access_changed', (admin) => admin.changeUser('alice', { role: 'viewer' })],
  ['gets another password', 'session_ended', (admin) => admin.changeUser('alice', { passwordHash: 'x' })],
];

describe.each([
  ['21: revocation ends all five streams', RedisAuthStore],
  ['22: the same where the message is lost', DeafStore],
] as const)('%s', (_name, Store) => {
  it.each(losses)('of somebody who %s, by %s, and of nobody else', async (_what, code, lose) => {
    const { first, second, admin, begin } = await openTwo(Store);
    const alice = await begin('alice');
    const bob = await begin('bob');
    const other = await first.view('channels=logs*', { headers: bearer(bob.token) });
    await other.saw('live');
    const { streams, answer } = await fiveStreams(first, second, alice.token);
    await lose(admin, alice);
    streams[2]?.resume();
    for (const stream of streams) await stream.ended();
    for (const stream of [streams[0], streams[1], streams[3]])
      expect(stream?.events.at(-1)).toMatchObject({ event: 'bye', data: { code } });
    await eventually('the answer of POST /api/process ends', () => answer.closed());
    expect(answer.text()).toContain(`"code":"${code}"`);
    await first.broker.publish([line('logs', 'after')]);
    await eventually('bob reads on', () => other.msgs.includes('after'));
    expect(other.closed).toBe(false);
    for (const stream of streams) expect(stream.msgs).not.toContain('after');
    // The run belongs to whoever began it, and goes on.
    expect(answer.text()).not.toContain('"final":true');
  });
});

it('21: a revoked key ends its streams, and those of other keys stay', async () => {
  const { first, second, admin } = await openTwo();
  const keys = [makeApiKey(), makeApiKey()];
  for (const { id, digest } of keys)
    await admin.addKey({
      id,
      digest,
      name: 'ci',
      grants: MAY_READ,
      created: Date.now(),
      expires: Date.now() + 1e9,
      lastUsed: 0,
    });
  const [revoked, kept] = keys.map(({ key }) => bearer(key));
  const streams = await Promise.all(
    [first, first, second, second, second].map((gateway) =>
      gateway.view('channels=logs*', { headers: revoked ?? {} }),
    ),
  );
  const other = await second.view('channels=logs*', { headers: kept ?? {} });
  expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  for (const stream of [...streams, other]) await stream.saw('live');
  await admin.revokeKey(keys[0]?.id ?? '');
  for (const stream of streams) expect((await stream.saw('bye')).data).toMatchObject({ code: 'revoked' });
  expect(other.named('bye')).toEqual([]);
  expect((await first.view('channels=logs*', { headers: revoked ?? {} })).status).toBe(401);
});

it('23: with Redis paused while the message is lost, nothing is delivered when it goes on', async () => {
  const { first, second, admin, begin } = await openTwo(DeafStore);
  const alice = await begin('alice');
  const bob = await begin('bob');
  const open = (gateway: AuthGateway, token: string) =>
    gateway.view('channels=logs*', { headers: bearer(token) });
  const streams = [await open(first, alice.token), await open(second, alice.token)];
  const others = [await open(first, bob.token), await open(second, bob.token)];
  for (const stream of [...streams, ...others]) await stream.saw('live');
  await admin.endSession('alice', alice.id);
  redis.pause();
  // Sent while Redis is paused: it is published in the moment when Redis goes on.
  const published = first.broker
    .publish([line('logs', 'secret')])
    .catch(() => first.broker.publish([line('logs', 'secret')]));
  await eventually('the gateways hold back', async () => {
    const answers = await Promise.all([first, second].map(({ url }) => fetch(`${url}/readyz`)));
    return answers.every(({ status }) => status === 503);
  });
  redis.resume();
  await published;
  for (const stream of streams) await stream.ended();
  for (const stream of streams) expect(stream.msgs).not.toContain('secret');
  for (const stream of others) await eventually('bob gets it', () => stream.msgs.includes('secret'));
});

it('23: after a reconnect rights are looked at before anything is delivered', async () => {
  const { first, admin, begin } = await openTwo(DeafStore);
  const alice = await begin('alice');
  const bob = await begin('bob');
  const stream = await first.view('channels=logs*', { headers: bearer(alice.token) });
  const other = await first.view('channels=logs*', { headers: bearer(bob.token) });
  for (const one of [stream, other]) await one.saw('live');
  // In one step: alice loses her rights, the entry is written, and every connection is cut.
  const ended = admin.endSession('alice', alice.id);
  const written = first.broker.publish([line('logs', 'secret')]);
  await Promise.allSettled([ended, written]);
  execFileSync('redis-cli', ['-p', `${redis.port}`, 'SAVE']); // so that Bob is still there afterwards
  await redis.kill('SIGKILL');
  await redis.restart();
  await stream.ended();
  await eventually('the log takes entries again', () =>
    first.broker.publish([line('logs', 'later')]).then(
      () => true,
      () => false,
    ),
  );
  await eventually('bob reads on in the stream that he had', () => other.msgs.includes('later'));
  expect(other.named('bye')).toEqual([]);
  expect(stream.msgs).not.toContain('later');
});

it('24: an entry that is written after the end of the rights was seen is not delivered', async () => {
  const { first, admin, begin } = await openTwo();
  const alice = await begin('alice');
  const stream = await first.view('channels=logs*', { headers: bearer(alice.token) });
  await stream.saw('live');
  await admin.endSession('alice', alice.id);
  await stream.ended();
  await first.broker.publish([line('logs', 'after')]);
  expect(stream.msgs).toEqual([]);
});

it('24: a stream that is being opened while its rights end does not slip through', async () => {
  const { first, admin, begin } = await openTwo();
  for (let round = 0; round < 20; round++) {
    const alice = await begin('alice');
    const headers = { ...bearer(alice.token), accept: 'text/event-stream' };
    const opening = Array.from({ length: 8 }, (_, i) =>
      first.view(`channels=logs*,race${round}-${i}`, { headers }),
    );
    await Promise.all([admin.endSession('alice', alice.id), ...opening]);
    for (const stream of await Promise.all(opening)) {
      if (stream.status === 200) await stream.saw('bye');
      await stream.ended();
    }
  }
});

it('25: streams end when their session is over, also one that lags and those of a run', async () => {
  const { first, second, admin } = await openTwo();
  // However slow the machine is, all five streams are open before the session is over.
  let began: (Awaited<ReturnType<typeof fiveStreams>> & { token: string }) | undefined;
  for (let lifeMs = 5_000; began === undefined; lifeMs *= 2) {
    const token = `lst_${randomBytes(32).toString('hex').slice(0, 43)}`;
    const now = Date.now();
    await admin.addSession({
      digest: hash('sha256', token, 'hex'),
      user: 'alice',
      created: now,
      seen: now,
      expires: now + lifeMs,
      address: '',
      agent: '',
    });
    try {
      began = { token, ...(await fiveStreams(first, second, token)) };
    } catch (error) {
      if (Date.now() < now + lifeMs || lifeMs > 20_000) throw error;
    }
  }
  const { token, streams, answer } = began;
  streams[2]?.resume();
  for (const stream of streams) await stream.ended();
  for (const stream of [streams[0], streams[1], streams[3]])
    expect(stream?.events.at(-1)).toMatchObject({ event: 'bye', data: { code: 'expired' } });
  await eventually('the answer of POST /api/process ends', () => answer.closed());
  expect(answer.text()).toContain('"code":"expired"');
  expect((await fetch(`${first.url}/auth/profile`, { headers: bearer(token) })).status).toBe(401);
});

it('26: the run of somebody whose rights have ended goes on', async () => {
  const { first, admin, begin } = await openTwo();
  const alice = await begin('alice');
  const answer = await process(first, alice.token, 'm1');
  await eventually('the run has begun', () => answer.text().includes('event:'));
  await admin.endSession('alice', alice.id);
  await eventually('the answer ends', () => answer.closed());
  const again = await begin('alice');
  const run = await fetch(`${first.url}/api/runs/m1`, { headers: bearer(again.token) });
  expect(await run.json()).toMatchObject({ message_id: 'm1', state: 'running' });
});

it('28: a Redis that was restored from before a revocation revives no session', async () => {
  const { first, admin, begin } = await openTwo();
  const alice = await begin('alice');
  const headers = bearer(alice.token);
  expect((await fetch(`${first.url}/auth/profile`, { headers })).status).toBe(200);
  execFileSync('redis-cli', ['-p', `${redis.port}`, 'SAVE']);
  await admin.endSession('alice', alice.id);
  await eventually(
    'alice is out',
    async () => (await fetch(`${first.url}/auth/profile`, { headers })).status === 401,
  );
  await redis.kill('SIGKILL');
  await redis.restart();
  await eventually('the store is back', async () => (await fetch(`${first.url}/readyz`)).ok);
  const status = await eventually('the store answers', async () => {
    const answer = await fetch(`${first.url}/auth/profile`, { headers });
    return answer.status !== 503 && answer.status;
  });
  expect(status).toBe(401);
});

it('27: while Redis is away nobody is signed out, and streams go on when it is back', async () => {
  const { first, begin } = await openTwo();
  const alice = await begin('alice');
  const headers = bearer(alice.token);
  const stream = await first.view('channels=logs*', { headers });
  await stream.saw('live');
  redis.pause();
  await eventually('the gateway notices', async () => (await fetch(`${first.url}/readyz`)).status === 503);
  const answer = await fetch(`${first.url}/auth/profile`, { headers });
  expect([200, 503]).toContain(answer.status);
  const unknown = await fetch(`${first.url}/auth/profile`, { headers: bearer(`lst_${'a'.repeat(43)}`) });
  expect(unknown.status).toBe(503);
  redis.resume();
  await eventually('the log is there again', async () => (await fetch(`${first.url}/readyz`)).ok);
  await first.broker.publish([line('logs', 'back')]);
  await eventually('alice reads on', () => stream.msgs.includes('back'));
  expect(stream.named('bye')).toEqual([]);
});

it('21: the same with the log in memory', async () => {
  const store = FileAuthStore.inMemory();
  await addUser(store, 'alice');
  const gateway = await openAuthGateway({}, store);
  gateways = [gateway];
  const { token, session } = await new Sessions(store).begin({ user: 'alice', address: '', agent: '' });
  const streams = await Promise.all(
    [1, 2, 3, 4, 5].map(() => gateway.view('channels=logs*', { headers: bearer(token) })),
  );
  for (const stream of streams) await stream.saw('live');
  await store.endSession('alice', sessionId(session));
  for (const stream of streams)
    expect((await stream.saw('bye')).data).toMatchObject({ code: 'session_ended' });
});
