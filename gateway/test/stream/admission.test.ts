// Places are taken and given back, in all and per address; 0 is no limit.
import { expect, it } from 'vitest';
import { Places } from '../../src/stream/admission.ts';

it('refuses over either limit and has room again when somebody leaves', () => {
  const places = new Places({ maxConnections: 3, maxPerAddress: 2 });
  expect([places.enter('a'), places.enter('a'), places.enter('a')]).toEqual([
    undefined,
    undefined,
    'over_address_limit',
  ]);
  expect([places.enter('b'), places.enter('c')]).toEqual([undefined, 'over_limit']);
  places.leave('a');
  expect(places.enter('c')).toBeUndefined();
});

it('lets everybody in where there is no limit', () => {
  const places = new Places({ maxConnections: 0, maxPerAddress: 0 });
  for (let i = 0; i < 1_000; i++) expect(places.enter('a')).toBeUndefined();
});
