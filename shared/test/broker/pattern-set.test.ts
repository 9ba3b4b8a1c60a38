// A set of patterns against a plain list of them, and what it costs to ask again.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PatternSet } from '../../src/broker/pattern-set.ts';
import { channelMatcher, matches } from '../../src/channels.ts';

const PATTERNS = ['a', 'a*', '*', '*b', 'a*b', 'c'];

it('names those that match, in the order in which they were added, whatever comes and goes between two questions', () => {
  const step = fc.record({
    do: fc.constantFrom('add' as const, 'delete' as const, 'ask' as const),
    pattern: fc.constantFrom(...PATTERNS),
    channel: fc.constantFrom('a', 'ab', 'b', 'c'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const set = new PatternSet();
      const list: string[] = [];
      for (const now of steps) {
        const known = list.includes(now.pattern);
        if (now.do === 'add') {
          set.add(now.pattern);
          if (!known) list.push(now.pattern);
        } else if (now.do === 'delete') {
          set.delete(now.pattern);
          if (known) list.splice(list.indexOf(now.pattern), 1);
        } else
          expect(set.patternsMatching(now.channel)).toEqual(
            list.filter((pattern) => matches(pattern, now.channel)),
          );
      }
    }),
  );
});

it('compares a channel with each pattern once', () => {
  let compared = 0;
  const set = new PatternSet((pattern) => {
    const fits = channelMatcher(pattern);
    return (channel) => {
      compared++;
      return fits(channel);
    };
  });
  for (const pattern of PATTERNS) set.add(pattern);
  for (let i = 0; i < 100; i++) set.patternsMatching('nobody');
  expect(compared).toBe(PATTERNS.length);
});
