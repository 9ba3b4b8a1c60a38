// What each test file on the log in Redis needs: a server, a client of its own, and brokers that are closed after the test.

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { RedisClient } from '../../../src/broker/redis/client.ts';
import { RedisBroker, type RedisBrokerOptions } from '../../../src/broker/redis/redis-broker.ts';

export interface RedisStage {
  readonly server: RedisServer;
  readonly redis: Redis;
  /** An open broker, in a namespace of its own unless `options` name one. */
  broker(options?: Partial<RedisBrokerOptions>): Promise<RedisBroker>;
  /** A connection as the broker's parts use it. */
  client(): Promise<RedisClient>;
}

/** Registers its set-up and clean-up with the file that calls it. */
export function redisStage(): RedisStage {
  let server: RedisServer;
  let redis: Redis;
  const open: { close(): unknown }[] = [];
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterEach(async () => {
    for (const part of open.splice(0)) await part.close();
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  return {
    get server() {
      return server;
    },
    get redis() {
      return redis;
    },
    broker: async (options = {}) => {
      const broker = new RedisBroker({ url: server.url, namespace: randomNamespace(), ...options });
      open.push(broker);
      await broker.open(10_000);
      return broker;
    },
    client: async () => {
      const client = new RedisClient(server.url, 'test', undefined);
      open.push(client);
      await client.runId(10_000);
      return client;
    },
  };
}
