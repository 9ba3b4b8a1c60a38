// Connections are counted in all and for each address, and given back; 0 means no limit.
import { expect, it } from 'vitest';
import { LocalConnectionLimiter } from '../../../src/stream/viewer/connection-limiter.ts';

it('refuses what is over either limit, and admits again after a release', () => {
  const limiter = new LocalConnectionLimiter({ maxConnections: 3, maxPerAddress: 2 });
  expect([limiter.acquire('a'), limiter.acquire('a'), limiter.acquire('a')]).toEqual([
    undefined,
    undefined,
    'over_address_limit',
  ]);
  expect([limiter.acquire('b'), limiter.acquire('c')]).toEqual([undefined, 'over_limit']);
  limiter.release('a');
  expect(limiter.acquire('c')).toBeUndefined();
});

it('admits everything without limits', () => {
  const limiter = new LocalConnectionLimiter({ maxConnections: 0, maxPerAddress: 0 });
  for (let i = 0; i < 1_000; i++) expect(limiter.acquire('a')).toBeUndefined();
});
