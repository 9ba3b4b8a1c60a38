import { expect, it } from 'vitest';
import { FairBudget } from '../src/fair-budget.ts';

it('each may hold half of what the others leave, and what is given back is free again', () => {
  const budget = new FairBudget(1_000);
  expect([budget.fits('a', 501), budget.fits('a', 500)]).toEqual([false, true]);
  budget.take('a', 500);
  expect([budget.fits('a', 1), budget.fits('b', 251), budget.fits('b', 250)]).toEqual([false, false, true]);
  budget.take('b', 250);
  expect([budget.fits('c', 126), budget.fits('c', 125)]).toEqual([false, true]);
  budget.give('a', 500);
  expect([budget.fits('b', 250), budget.fits('c', 376), budget.fits('c', 375)]).toEqual([true, false, true]);
});
