import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FirstTokens } from '../../src/fleet/first-tokens.ts';

const MINUTE = 60_000;

interface Sample {
  at: number;
  seconds: number;
  isSaid: boolean;
}

/** What the figures are by their definition, from all samples at once. */
function figuresOf(samples: readonly Sample[], now: number) {
  const rank = (from: number, to: number, share: number) => {
    const found = samples.filter(({ at }) => at > from && at <= to).map(({ seconds }) => seconds);
    found.sort((a, b) => a - b);
    return { count: found.length, value: found[Math.max(0, Math.ceil(found.length * share) - 1)] };
  };
  const all = rank(now - 15 * MINUTE, now, 0.5);
  const recent = rank(now - MINUTE, now, 0.5);
  const before = rank(now - 15 * MINUTE, now - MINUTE, 0.5);
  if (all.count === 0) return undefined;
  const canCompare = recent.count >= 3 && before.count >= 3;
  return {
    p50: all.value,
    p95: rank(now - 15 * MINUTE, now, 0.95).value,
    count: all.count,
    isRising: canCompare && (recent.value ?? 0) >= 2 * (before.value ?? 0),
  };
}

it('figures of times to the first token are those of the last 15 minutes, in whatever order the samples come', () => {
  const step = fc.record({
    pause: fc.integer({ min: 0, max: 3 * MINUTE }),
    /** How long before now the samples were taken: those of a gap come late. */
    ages: fc.array(fc.integer({ min: 0, max: 5 * MINUTE }), { maxLength: 4 }),
    seconds: fc.array(fc.constantFrom(0, 0.1, 0.2, 0.5, 1.5, 3), { minLength: 4, maxLength: 4 }),
    isSaid: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const kept = new FirstTokens();
      const samples: Sample[] = [];
      let now = 20 * MINUTE;
      for (const { pause, ages, seconds, isSaid } of steps) {
        now += pause;
        for (const [i, age] of ages.entries()) {
          const sample = { at: now - age, seconds: seconds[i] ?? 0, isSaid };
          samples.push(sample);
          kept.add(sample);
        }
        expect(kept.figures(now)).toEqual(figuresOf(samples, now));
        expect(kept.areSaid).toBe(
          samples.filter(({ at }) => at > now - 15 * MINUTE).every((sample) => sample.isSaid),
        );
      }
    }),
  );
});

it('of more than 256 times to the first token the latest are kept', () => {
  const kept = new FirstTokens();
  for (let i = 0; i < 300; i++) kept.add({ at: i, seconds: i, isSaid: true });
  kept.add({ at: 1, seconds: 1, isSaid: false });
  expect(kept.figures(300)).toMatchObject({ p50: 171, p95: 287, count: 256 });
  expect(kept.areSaid).toBe(true);
});
