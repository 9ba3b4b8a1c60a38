// The end of rights where a gateway is several processes: two gateways with two workers each, and one log in Redis.

import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RedisBroker } from '../../../../shared/src/broker/redis/redis-broker.ts';
import { line } from '../../../../test-support/gateway.ts';
import { eventually, healthy, type RunningProcess, startProcess } from '../../../../test-support/process.ts';
import { freePort, type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { SseClient } from '../../../../test-support/sse-client.ts';
import { Sessions } from '../../../src/auth/credentials/sessions.ts';
import { sessionId } from '../../../src/auth/store/auth-store.ts';
import { RedisAuthStore } from '../../../src/auth/store/redis-auth-store.ts';
import { addUser } from '../../http/auth-gateway.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

let redis: RedisServer;
let client: Redis;
let store: RedisAuthStore;
let log: RedisBroker;
let urls: string[] = [];
let gateways: RunningProcess[] = [];

beforeAll(async () => {
  redis = await startRedis();
  client = new Redis(redis.url);
  const namespace = randomNamespace();
  store = RedisAuthStore.at(redis.url, namespace);
  log = new RedisBroker({ url: redis.url, namespace });
  await log.open(30_000);
  for (const name of ['alice', 'bob']) await addUser(store, name);
  const ports = [await freePort(), await freePort()];
  const env = { WORKERS: '2', AUTH: 'on', REDIS_URL: redis.url, NAMESPACE: namespace, LOG_LEVEL: 'error' };
  gateways = ports.map((port) => startProcess(['gateway/src/main.ts'], { env: { ...env, PORT: `${port}` } }));
  urls = ports.map((port) => `http://127.0.0.1:${port}`);
  await Promise.all(urls.map((url) => healthy(`${url}/readyz`, 180_000)));
});
afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
  await log.close();
  await store.close();
  client.disconnect();
  await redis.stop();
});

async function begin(user: string) {
  const { token, session } = await new Sessions(store).begin({ user, address: '', agent: '' });
  return { id: sessionId(session), headers: { authorization: `Bearer ${token}` } };
}

/** A primary passes connections to its workers by turns. A gateway that has just got Redis back may ask a viewer to come again. */
async function open(url: string, headers: Record<string, string>): Promise<SseClient> {
  return eventually('a live stream', async () => {
    const stream = await SseClient.open(`${url}/stream?channels=logs*`, { headers });
    await eventually('a beginning or an end', () => stream.named('live').length > 0 || stream.closed);
    return stream.closed ? undefined : stream;
  });
}

async function scene() {
  const [alice, bob] = [await begin('alice'), await begin('bob')];
  const at = (i: number) => urls[i % 2] as string;
  const streams = await Promise.all([0, 1, 0, 1, 0].map((i) => open(at(i), alice.headers)));
  const others = await Promise.all([0, 1, 0, 1].map((i) => open(at(i), bob.headers)));
  return { alice, streams, others };
}

/** Bob's streams are those from before, and get what is written now; hers get none of it. */
async function staysWith(others: SseClient[], streams: SseClient[], msg: string): Promise<void> {
  await log.publish([line('logs', msg)]);
  for (const other of others) await eventually('bob reads on', () => other.msgs.includes(msg));
  for (const stream of streams) expect(stream.msgs).not.toContain(msg);
  for (const one of [...others, ...streams]) one.vanish();
}

it('21: all five streams of a session that has ended end on every worker, and those of others stay', async () => {
  const { alice, streams, others } = await scene();
  await store.endSession('alice', alice.id);
  for (const stream of streams)
    expect((await stream.saw('bye')).data).toMatchObject({ code: 'session_ended' });
  await staysWith(others, streams, 'after');
});

it('22: so they do where no worker hears the message', async () => {
  const { alice, streams, others } = await scene();
  const listening = await eventually('each worker listens', async () => {
    const connections = `${await client.client('LIST')}`.split('\n');
    const found = connections.filter((one) => / name=llm-streamer-auth/.test(one) && / sub=1 /.test(one));
    return found.length >= 4 && found;
  });
  await Promise.all([
    ...listening.map((one) => client.client('KILL', 'ID', /id=(\d+)/.exec(one)?.[1] ?? '')),
    store.endSession('alice', alice.id),
  ]);
  for (const stream of streams)
    expect((await stream.saw('bye')).data).toMatchObject({ code: 'session_ended' });
  await staysWith(others, streams, 'after all');
});

it('23: so they do when Redis was paused meanwhile, and nothing is delivered when it goes on', async () => {
  const { alice, streams, others } = await scene();
  await store.endSession('alice', alice.id);
  redis.pause();
  const published = log.publish([line('logs', 'secret')]).catch(() => log.publish([line('logs', 'secret')]));
  await eventually('all hold back', async () => {
    const asked = [...urls, ...urls].map((url) =>
      fetch(`${url}/readyz`, { headers: { connection: 'close' } }),
    );
    return (await Promise.all(asked)).every(({ status }) => status === 503);
  });
  redis.resume();
  await published;
  for (const stream of streams) await stream.ended();
  for (const stream of streams) expect(stream.msgs).not.toContain('secret');
  for (const other of others) await eventually('bob gets it', () => other.msgs.includes('secret'));
  await staysWith(others, streams, 'later');
});

it('24: a stream that is opened while the session ends does not slip through', async () => {
  for (let round = 0; round < 5; round++) {
    const alice = await begin('alice');
    const headers = { ...alice.headers, accept: 'text/event-stream' };
    const opening = urls.flatMap((url) =>
      [1, 2, 3, 4].map((i) => SseClient.open(`${url}/stream?channels=logs*,race${round}-${i}`, { headers })),
    );
    await Promise.all([store.endSession('alice', alice.id), ...opening]);
    for (const stream of await Promise.all(opening)) await stream.ended();
  }
});
