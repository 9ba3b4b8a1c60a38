import { expect, it } from 'vitest';
import { PatternBudget } from '../../../src/stream/live/pattern-budget.ts';

/** A search of 200 letters costs as much as 110 short patterns. */
const searches = (count: number) =>
  Array.from({ length: count }, (_, i) => `${i}*${'b'.repeat(197 - `${i}`.length)}*c`);

it('one viewer, however much it asks for, leaves patterns to the others', () => {
  const budget = new PatternBudget();
  const taken: string[] = [];
  for (const search of searches(50)) {
    if (!budget.fits([search], 'eve')) break;
    budget.addPatterns([search], 'eve');
    taken.push(search);
  }
  expect(taken.length).toBeLessThan(50);
  expect(budget.fits(['*', 'logs:t*', '*:errors'], 'al')).toBe(true);
  budget.removePatterns(taken);
  expect(budget.fits(searches(10), 'eve')).toBe(true);
});

it('what others ask for already is free, and is paid for once', () => {
  const budget = new PatternBudget();
  const many = searches(20);
  budget.addPatterns(many, 'al');
  budget.addPatterns(many, 'eve');
  expect(budget.fits(many, 'eve')).toBe(true);
  budget.removePatterns(many);
  expect(budget.fits(searches(30).slice(20), 'al')).toBe(false);
  budget.removePatterns(many);
  expect(budget.fits(searches(30).slice(10), 'al')).toBe(true);
});
