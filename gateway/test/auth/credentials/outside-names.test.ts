// Owners of whom only somebody outside knows: always the same for the same subject, never the same for two, and nobody's name.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ownerOfSubject, shownName } from '../../../src/auth/credentials/outside-names.ts';
import { isUserName } from '../../../src/auth/names.ts';

it('an owner is 100 bits of the digest of issuer and subject, and stays so', () => {
  expect(ownerOfSubject('https://id.example.com', 'alice')).toBe('j-bmtg4eegwmusafu6rd2l');
});

it('an owner is a part of channel names, and no person can have it as a name', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (issuer, subject) => {
      const owner = ownerOfSubject(issuer, subject);
      expect(owner).toMatch(/^j-[a-z2-7]{20}$/);
      expect(isUserName(owner)).toBe(false);
    }),
  );
});

it('two subjects have two owners, however issuer and subject are cut', () => {
  const pairs = [
    ['a', 'b'],
    ['a b', ''],
    ['', 'a b'],
    ['a","b', ''],
    ['b', 'a'],
    ['a', 'B'],
  ] as const;
  expect(new Set(pairs.map(([issuer, subject]) => ownerOfSubject(issuer, subject))).size).toBe(pairs.length);
});

it.each([
  [['Alice A.'], 'Alice A.'],
  [[undefined, 7, '', '  ', 'bob'], 'bob'],
  [['\u202eecila\u0000\n'], 'ecila'],
  [['x'.repeat(1_000)], 'x'.repeat(100)],
  [['\ud800'], '\ufffd'],
  [[], 'unnamed'],
])('of %j people are shown %j', (names, shown) => {
  expect(shownName(...names)).toBe(shown);
});
