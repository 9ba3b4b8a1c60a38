import fc from 'fast-check';
import { expect, it } from 'vitest';
import { oldestOf } from '../../src/pictures/oldest.ts';

it('of too many, the one goes that was heard longest ago among those that may go, or among all where none may', () => {
  const one = fc.record({ lastAt: fc.nat(9), isFree: fc.boolean() });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 8 }), (all) => {
      const free = all.filter(({ isFree }) => isFree);
      const [first] = (free.length > 0 ? free : all).toSorted((a, b) => a.lastAt - b.lastAt);
      expect(oldestOf(all, ({ isFree }) => isFree)).toBe(first);
    }),
  );
});
