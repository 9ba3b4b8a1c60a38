// The log in a real Redis Cluster keeps the contract of every log, wherever its slot is, with and without echoes on plain names.

import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { type RedisServer, randomNamespace } from '../../../../test-support/redis.ts';
import { command, type RedisCluster, startCluster } from '../../../../test-support/redis-cluster.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import { RedisClient } from '../../../src/broker/redis/client.ts';
import { RedisJanitor } from '../../../src/broker/redis/janitor.ts';
import { RedisKeys } from '../../../src/broker/redis/keys.ts';
import { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from '../../../src/broker/retention.ts';
import { testBroker } from '../conformance.ts';

let cluster: RedisCluster;
const open: { close(): unknown }[] = [];
beforeAll(async () => {
  cluster = await startCluster();
}, 60_000);
afterEach(async () => {
  for (const part of open.splice(0)) await part.close();
});
afterAll(() => cluster.stop());

describe.each([false, true])('in a Cluster, where plainChannels is %s', (plainChannels) => {
  const made = new Map<Broker, { namespace: string; retention: RetentionPolicy }>();
  testBroker(
    async (options = {}) => {
      const namespace = randomNamespace();
      const retention = { ...DEFAULT_RETENTION, ...options.retention };
      const broker = new RedisBroker({ url: cluster.url, namespace, retention, plainChannels });
      open.push(broker);
      await broker.open(10_000);
      made.set(broker, { namespace, retention });
      return broker;
    },
    async (broker, channel) => {
      const { namespace, retention } = made.get(broker) ?? expect.fail('another broker');
      const owner: RedisServer = await cluster.ownerOf(namespace);
      await command(owner, 'DEL', `{${namespace}}:ch:${channel}`);
      const client = new RedisClient({ url: cluster.url, namespace }, 'test', undefined);
      open.push(client);
      await client.runId(10_000);
      await new RedisJanitor(client, new RedisKeys(namespace), retention, undefined).sweep();
      expect((await broker.channels('*')).map((info) => info.channel)).not.toContain(channel);
    },
  );
});
