// Places are taken and given back, in all and per address; 0 is no limit.
import { expect, it } from 'vitest';
import { LocalConnectionLimiter } from '../../../src/stream/viewer/connection-limiter.ts';

it('refuses over either limit and has room again when somebody leaves', () => {
  const places = new LocalConnectionLimiter({ maxConnections: 3, maxPerAddress: 2 });
  expect([places.acquire('a'), places.acquire('a'), places.acquire('a')]).toEqual([
    undefined,
    undefined,
    'over_address_limit',
  ]);
  expect([places.acquire('b'), places.acquire('c')]).toEqual([undefined, 'over_limit']);
  places.release('a');
  expect(places.acquire('c')).toBeUndefined();
});

it('lets everybody in where there is no limit', () => {
  const places = new LocalConnectionLimiter({ maxConnections: 0, maxPerAddress: 0 });
  for (let i = 0; i < 1_000; i++) expect(places.acquire('a')).toBeUndefined();
});
