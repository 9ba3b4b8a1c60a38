import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type RedisServer, startRedis } from '../../../test-support/redis.ts';
import { playChats } from './chats.ts';

// Leases run out, and programs start, in minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('chats of two people on two gateways, reloaded and with one gateway killed, are complete, in order and their own, and no mail is sent twice', async () => {
  const chats = 16;
  let turn = 0;
  // Each third client is reloaded, each after another number of events.
  const random = () => (turn++ % 3) / 3 + 0.01;
  const { finished, lost, reloads, faults } = await playChats({
    redisUrl: redis.url,
    chats,
    atOnce: 8,
    random,
  });
  expect(faults).toEqual([]);
  expect(finished + lost).toBe(chats);
  expect(finished).toBeGreaterThan(0);
  expect(reloads).toBeGreaterThan(0);
});
