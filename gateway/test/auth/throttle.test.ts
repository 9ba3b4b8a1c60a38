// Attempts to sign in are slowed down by address, by name and address, and by name: counted in memory or in Redis.

import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { type AttemptCounter, MemoryAttempts, RedisAttempts } from '../../src/auth/attempt-counter.ts';
import { Throttle, type TooManyAttempts } from '../../src/auth/throttle.ts';

let redis: RedisServer;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedis();
  client = new RedisClient(redis.url, 'test', undefined);
});
afterAll(async () => {
  client.close();
  await redis.stop();
});

const counters: [string, () => AttemptCounter][] = [
  ['memory', () => new MemoryAttempts()],
  ['Redis', () => new RedisAttempts(client, randomNamespace())],
];

describe.each(counters)('attempts counted in %s', (_name, counter) => {
  it('refuses the eleventh attempt of an address, whatever the names, with a time to wait', async () => {
    const throttle = new Throttle(counter(), 0);
    for (let i = 0; i < 10; i++) await throttle.attempt(`name-${i}`, '10.0.0.1');
    await expect(throttle.attempt('alice', '10.0.0.1')).rejects.toMatchObject({
      code: 'too_many_attempts',
      retryAfterSeconds: expect.any(Number),
    });
    await throttle.attempt('alice', '10.0.0.2');
  });

  it('refuses the sixth attempt at a name from one address, and lets others try', async () => {
    const throttle = new Throttle(counter(), 0);
    for (let i = 0; i < 5; i++) await throttle.attempt('alice', '10.0.0.1');
    await expect(throttle.attempt('alice', '10.0.0.1')).rejects.toMatchObject({ code: 'too_many_attempts' });
    await throttle.attempt('bob', '10.0.0.1');
    await throttle.attempt('alice', '10.0.0.2');
  });

  it('31: nobody locks another out: a name that is tried from a hundred addresses waits, and is not refused', async () => {
    const throttle = new Throttle(counter(), 1);
    for (let i = 0; i < 100; i++) await throttle.attempt('alice', `10.0.1.${i}`);
    await expect(throttle.attempt('alice', '10.0.2.1')).resolves.toBeUndefined();
  });

  it('31: a crowd whose attempts at a name wait keeps nobody else from trying it', async () => {
    const throttle = new Throttle(counter(), 50);
    for (let i = 0; i < 60; i++) await throttle.attempt('alice', `10.0.1.${i}`);
    const crowd = Array.from({ length: 150 }, (_, i) => throttle.attempt('alice', `10.0.2.${i}`));
    await expect(throttle.attempt('alice', '10.0.3.1')).resolves.toBeUndefined();
    await Promise.all(crowd);
  });

  it('32: an IPv6 network is one address', async () => {
    const throttle = new Throttle(counter(), 0);
    for (let i = 0; i < 10; i++) await throttle.countAddress(`2001:db8:0:1::${i}`);
    await expect(throttle.countAddress('2001:db8:0:1:ffff::1')).rejects.toMatchObject({
      code: 'too_many_attempts',
    });
    await throttle.countAddress('2001:db8:0:2::1');
  });

  it('does not hold up those who know their passwords', async () => {
    const throttle = new Throttle(counter(), 0);
    for (let i = 0; i < 30; i++) {
      await throttle.attempt('alice', '10.0.0.1');
      await throttle.succeeded('alice', '10.0.0.1');
    }
  });

  it('counts unknown keys apart: they keep nobody at their address from signing in', async () => {
    const throttle = new Throttle(counter(), 0);
    for (let i = 0; i < 10; i++) await throttle.countCredential('10.0.0.1');
    await expect(throttle.countCredential('10.0.0.1')).rejects.toMatchObject({ code: 'too_many_attempts' });
    await throttle.attempt('alice', '10.0.0.1');
  });

  it('lets each principal make ten sessions or keys at once, wherever they sign in from', async () => {
    const throttle = new Throttle(counter(), 0);
    const alice = { id: 'user:alice' };
    for (let i = 0; i < 10; i++) await throttle.countWrite(alice);
    await expect(throttle.countWrite(alice)).rejects.toMatchObject({ code: 'too_many_attempts' });
    await throttle.countWrite({ id: 'user:bob' });
    await throttle.attempt('alice', '10.0.0.1');
  });

  it('lets an address that was refused try again within ten seconds', async () => {
    const throttle = new Throttle(counter(), 0);
    for (let i = 0; i < 10; i++) await throttle.countAddress('10.0.0.1');
    const refusal: unknown = await throttle.countAddress('10.0.0.1').catch((error: unknown) => error);
    expect((refusal as TooManyAttempts).retryAfterSeconds).toBeLessThanOrEqual(10);
  });
});

it('lets one attempt through every ten seconds, however many were refused before', async () => {
  vi.useFakeTimers();
  try {
    const throttle = new Throttle(new MemoryAttempts(), 0);
    const attempt = () =>
      throttle.countAddress('10.0.0.1').then(
        () => true,
        () => false,
      );
    const allowed: number[] = [];
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 20; i++) if (await attempt()) allowed.push(second);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(allowed).toEqual([...Array(10).fill(0), 10, 20, 30, 40, 50]);
  } finally {
    vi.useRealTimers();
  }
});

it('says that attempts cannot be counted while Redis is away, which is no refusal', async () => {
  const away = new RedisClient('redis://127.0.0.1:1', 'test', undefined);
  const throttle = new Throttle(new RedisAttempts(away, randomNamespace()));
  await expect(throttle.attempt('alice', '10.0.0.1')).rejects.toMatchObject({ code: 'broker_unavailable' });
  away.close();
});
