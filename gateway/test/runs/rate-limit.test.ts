import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { clientOf, networksOf } from '../../src/client-of.ts';
import {
  MemoryRateLimiter,
  type RateLimiter,
  RedisRateLimiter,
  windowOf,
} from '../../src/runs/rate-limit.ts';
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

describe.each(kinds)('a limit $kind', ({ make }) => {
  it('lets a burst through, then nothing, and says how long to wait', async () => {
    const [a, b] = make(3, 0.001);
    const remaining = [await a.consume('10.0.0.1'), await b.consume('10.0.0.1'), await a.consume('10.0.0.1')];
    expect(remaining.map(({ allowed }) => allowed)).toEqual([true, true, true]);
    expect(remaining.map((verdict) => verdict.remaining)).toEqual([2, 1, 0]);
    const refused = await b.consume('10.0.0.1');
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    expect(refused.resetMs).toBeGreaterThan(2_900_000);
    expect(refused.resetMs).toBeLessThanOrEqual(3_000_000);
  });

  it('is one of each address', async () => {
    const [a] = make(1, 0.001);
    await a.consume('10.0.0.1');
    expect((await a.consume('10.0.0.1')).allowed).toBe(false);
    expect((await a.consume('10.0.0.2')).allowed).toBe(true);
  });

  it('begins anew with the next window', async () => {
    const [a] = make(1, 1);
    await a.consume('10.0.0.1');
    await vi.waitFor(async () => expect((await a.consume('10.0.0.1')).allowed).toBe(true), PATIENCE_MS);
  });

  it('is neither shortened nor prolonged by being asked in vain', async () => {
    const [a] = make(1, 0.001);
    for (let i = 0; i < 50; i++) await a.consume('10.0.0.1');
    const refused = await a.consume('10.0.0.1');
    expect(refused.allowed).toBe(false);
    expect(refused.resetMs).toBeLessThanOrEqual(1_000_000);
  });
});

describe('a window', () => {
  it.each([
    [3, 1, 3, 3],
    [1, 1, 1, 1],
    [2, 0.01, 2, 200],
    [1, 20, 20, 1],
    [10_000, 0.001, 10_000, 24 * 86_400],
  ])('of %i at once and %d per second is %i in %i seconds', (burst, perSecond, runs, seconds) => {
    expect(windowOf({ burst, perSecond })).toEqual({ runs, seconds });
  });
});

it('in memory forgets the client that came first where there are too many', async () => {
  const limiter = new MemoryRateLimiter({ burst: 1, perSecond: 0.001 });
  const allowed = async (address: string) => (await limiter.consume(address)).allowed;
  expect(await allowed('first')).toBe(true);
  expect(await allowed('first')).toBe(false);
  for (let i = 0; i < 50_000; i++) await allowed(`client ${i}`);
  expect(await allowed('client 49999')).toBe(false);
  expect(await allowed('first')).toBe(true);
});

it('in Redis admits no run while Redis is away', async () => {
  const away = new RedisClient('redis://127.0.0.1:1', 'runs', undefined);
  clients.push(away);
  const limiter = new RedisRateLimiter(away, randomNamespace(), { burst: 1, perSecond: 1 });
  await expect(limiter.consume('10.0.0.1')).rejects.toMatchObject({ code: 'broker_unavailable' });
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
    expect(clientOf(address)).toBe(bucket);
    expect(networksOf(address).at(-1)).toBe(bucket);
  });

  it.each([
    ['203.0.113.7', ['203.0/16', '203.0.113/24', '203.0.113.7']],
    ['::ffff:203.0.113.7', ['203.0/16', '203.0.113/24', '203.0.113.7']],
    ['2001:db8:1:2::9', ['2001:db8::/32', '2001:db8:1::/48', '2001:db8:1:2::/64']],
    ['', ['']],
  ])('%s is in %j', (address, networks) => {
    expect(networksOf(address)).toEqual(networks);
  });
});
