// What the gateway keeps beside the log (runs, people and keys, alerts, counts of attempts) in a real Redis Cluster: all of it is in
// the slot of the log, so that each store keeps its contract there.

import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { randomNamespace } from '../../test-support/redis.ts';
import { type RedisCluster, startCluster } from '../../test-support/redis-cluster.ts';
import { RedisAttempts } from '../src/auth/attempt-counter.ts';
import { RedisAuthStore } from '../src/auth/store/redis-auth-store.ts';
import { RedisRulesStore } from '../src/rules/store/redis-rules-store.ts';
import { RedisRateLimiter } from '../src/runs/rate-limit.ts';
import { RedisRunStore } from '../src/runs/store/redis-run-store.ts';
import { testAuthStore } from './auth/store/conformance.ts';
import { testRulesStore } from './rules/store/rules-store-conformance.ts';
import { testRunStore } from './runs/store/run-store-conformance.ts';

let cluster: RedisCluster;
const open: { close(): unknown }[] = [];
beforeAll(async () => {
  cluster = await startCluster();
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});
afterAll(() => cluster.stop());

function opened<T extends { close(): unknown }>(part: T): T {
  open.push(part);
  return part;
}

function clientOf(namespace: string): RedisClient {
  return new RedisClient({ url: cluster.url, namespace }, 'test', undefined);
}

/** Two gateways' stores, and the log that they write to. */
function beside<S extends { close(): unknown }>(make: (client: RedisClient, keys: RedisKeys) => S) {
  const namespace = randomNamespace();
  const keys = new RedisKeys(namespace, false, true);
  const store = () => opened(make(clientOf(namespace), keys));
  return {
    store: store(),
    other: store(),
    broker: opened(new RedisBroker({ url: cluster.url, namespace })),
  };
}

describe('records of runs in a Cluster', () => {
  testRunStore(async () => beside((client, keys) => new RedisRunStore(client, keys, DEFAULT_RETENTION)));
});

describe('what rules remember in a Cluster', () => {
  testRulesStore(async () => beside((client, keys) => new RedisRulesStore(client, keys, DEFAULT_RETENTION)));
});

describe('people and keys in a Cluster', () => {
  testAuthStore(async () => {
    const namespace = randomNamespace();
    const store = () => opened(RedisAuthStore.at(cluster.url, namespace));
    return { store: store(), other: store() };
  });
});

describe('a limit in a Cluster', () => {
  it('of runs is one for all gateways', async () => {
    const namespace = randomNamespace();
    const [a, b] = [opened(clientOf(namespace)), opened(clientOf(namespace))].map(
      (client) => new RedisRateLimiter(client, namespace, { burst: 2, perSecond: 0.001 }),
    ) as [RedisRateLimiter, RedisRateLimiter];
    const verdicts = [await a.consume('10.0.0.1'), await b.consume('10.0.0.1'), await a.consume('10.0.0.1')];
    expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, false]);
  });

  it('of attempts to sign in is one for all gateways', async () => {
    const namespace = randomNamespace();
    const [a, b] = [opened(clientOf(namespace)), opened(clientOf(namespace))].map(
      (client) => new RedisAttempts(client, namespace),
    ) as [RedisAttempts, RedisAttempts];
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) waits.push(await (i % 2 === 0 ? a : b).count('pair', 'x'));
    expect(waits.map((ms) => ms === 0)).toEqual([true, true, true, true, true, false]);
  });
});
