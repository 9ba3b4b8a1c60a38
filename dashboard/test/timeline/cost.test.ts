import { describe, expect, it } from 'vitest';
import { costOf, costText } from '../../src/timeline/cost.ts';
import { newSpan, type Span } from '../../src/timeline/span.ts';

let keys = 0;
const generation = (model: string, inputTokens?: number, outputTokens?: number, isEstimated = false): Span =>
  newSpan({
    key: `g${++keys}`,
    kind: 'generation',
    name: model,
    model,
    inputTokens,
    outputTokens,
    isEstimated,
  });
const run = (...children: Span[]) => newSpan({ key: 'run', kind: 'run', name: 'r', children });
const prices = {
  currency: 'USD',
  models: [
    { model: 'gpt-*', input: 10, output: 30 },
    { model: 'gpt-4o-mini*', input: 1, output: 2 },
    { model: 'gpt-4o-mini-free', input: 0, output: 0 },
  ],
};

describe('the cost of a run', () => {
  it('is the sum over its generations, each by the longest name that fits', () => {
    const root = run(generation('gpt-5', 1_000, 1_000), generation('gpt-4o-mini-2024', 1_000_000, 500_000));
    expect(costOf(root, prices)).toEqual({ currency: 'USD', amount: 2.04, isEstimated: false, unpriced: 0 });
    expect(costOf(run(generation('gpt-4o-mini-free', 1e6, 1e6)), prices)?.amount).toBe(0);
  });

  it('counts a generation and not the lane that repeats what it says', () => {
    const lane = newSpan({
      ...{ key: 'lane a', kind: 'lane', name: 'a', model: 'gpt-5', inputTokens: 1_000, outputTokens: 0 },
      children: [generation('gpt-5', 1_000, 0)],
    });
    expect(costOf(run(lane), prices)?.amount).toBeCloseTo(0.01);
  });

  it('counts models without a price apart, and is not known where none has one', () => {
    expect(costOf(run(generation('gpt-5', 1, 1), generation('other', 1, 1)), prices)?.unpriced).toBe(1);
    expect(costOf(run(generation('other', 1, 1)), prices)).toBeUndefined();
    expect(costOf(run(generation('gpt-5')), prices)).toBeUndefined();
    expect(costOf(run(generation('gpt-5', 1, 1)), undefined)).toBeUndefined();
  });

  it('is estimated where a service has not counted all tokens', () => {
    expect(costOf(run(generation('gpt-5', undefined, 7)), prices)?.isEstimated).toBe(true);
    expect(costOf(run(generation('gpt-5', 7, 7, true)), prices)?.isEstimated).toBe(true);
  });

  it.each([
    [12.345, '12.35 USD'],
    [0.0042, '0.0042 USD'],
    [0.000_012_3, '0.000012 USD'],
    [0.1, '0.10 USD'],
    [0, '0.00 USD'],
  ])('of %d is told as %s', (amount, text) => {
    expect(costText({ currency: 'USD', amount, isEstimated: false, unpriced: 0 })).toBe(text);
  });

  it('says what is only known roughly, and what is left out', () => {
    expect(costText({ currency: 'EUR', amount: 2, isEstimated: true, unpriced: 3 })).toBe(
      '~2.00 EUR (3 without a price)',
    );
  });
});
