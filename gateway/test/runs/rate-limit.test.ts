import { RedisClient } from '@llm-streamer/shared/broker/redis-client.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { bucketOf, MemoryRateLimiter, type RateLimiter } from '../../src/runs/rate-limit.ts';
import { RedisRateLimiter } from '../../src/runs/redis-rate-limit.ts';
import { PATIENCE_MS } from '../llm/collect.ts';

let redis: RedisServer;
const clients: RedisClient[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await redis.stop();
});

const kinds = [
  {
    kind: 'in memory',
    make: (burst: number, perSecond: number): [RateLimiter, RateLimiter] => {
      const limiter = new MemoryRateLimiter({ burst, perSecond });
      return [limiter, limiter];
    },
  },
  {
    kind: 'in Redis, for two gateways,',
    make: (burst: number, perSecond: number): [RateLimiter, RateLimiter] => {
      const namespace = randomNamespace();
      const one = () => {
        const client = new RedisClient(redis.url, 'runs', undefined);
        clients.push(client);
        return new RedisRateLimiter(client, namespace, { burst, perSecond });
      };
      return [one(), one()];
    },
  },
];

describe.each(kinds)('a bucket $kind', ({ make }) => {
  it('lets a burst through, then nothing, and says how long to wait', async () => {
    const [a, b] = make(3, 0.001);
    const remaining = [await a.take('10.0.0.1'), await b.take('10.0.0.1'), await a.take('10.0.0.1')];
    expect(remaining.map(({ allowed }) => allowed)).toEqual([true, true, true]);
    expect(remaining.map((verdict) => verdict.remaining)).toEqual([2, 1, 0]);
    const refused = await b.take('10.0.0.1');
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    expect(refused.retryAfterMs).toBeGreaterThan(900_000);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(1_000_000);
  });

  it('is one of each address', async () => {
    const [a] = make(1, 0.001);
    await a.take('10.0.0.1');
    expect((await a.take('10.0.0.1')).allowed).toBe(false);
    expect((await a.take('10.0.0.2')).allowed).toBe(true);
  });

  it('fills again', async () => {
    const [a] = make(1, 20);
    await a.take('10.0.0.1');
    await vi.waitFor(async () => expect((await a.take('10.0.0.1')).allowed).toBe(true), PATIENCE_MS);
  });

  it('does not gain by being asked in vain', async () => {
    const [a] = make(1, 0.001);
    for (let i = 0; i < 50; i++) await a.take('10.0.0.1');
    expect((await a.take('10.0.0.1')).allowed).toBe(false);
  });
});

describe('an address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['not an address', 'not an address'],
  ])('%s belongs to %s', (address, bucket) => {
    expect(bucketOf(address)).toBe(bucket);
  });
});
