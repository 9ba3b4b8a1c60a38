import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Seconds } from '../../src/pictures/seconds.ts';

it('holds the sums of its latest seconds, whatever the order in which they come; what was not written is not known', () => {
  const written = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 9 })), {
    minLength: 1,
  });
  fc.assert(
    fc.property(written, (all) => {
      const seconds = new Seconds(20);
      const expected = new Map<number, number>();
      let newest = -1;
      for (const [second, value] of all) {
        newest = Math.max(newest, second);
        for (const known of expected.keys()) if (known <= newest - 20) expected.delete(known);
        if (second > newest - 20) expected.set(second, (expected.get(second) ?? 0) + value);
        seconds.add(second, value);
      }
      for (let second = 0; second <= 70; second++)
        expect(seconds.get(second)).toBe(expected.get(second) ?? Number.NaN);
      const known = [...expected].filter(([second]) => second > 5 && second <= 50).map(([, value]) => value);
      const sum = known.reduce((a, b) => a + b, 0);
      expect(seconds.sum(5, 50)).toBe(sum);
      expect(seconds.mean(5, 50)).toBe(sum / known.length);
    }),
  );
});
