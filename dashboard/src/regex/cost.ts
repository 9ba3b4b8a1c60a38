// Estimates how many steps JavaScript's engine may take at worst. It tries one way to match after another, which is far
// faster than our engine on ordinary expressions and does not end on others: `(a+)+b` on 40 times `a`, for example.

import type { Expression } from './syntax.ts';

interface Cost {
  /** Ways in which the expression may match from one position. */
  ways: number;
  /** Steps to try all ways. */
  steps: number;
}

/** The longest text, up to `most` characters, on which JavaScript's engine takes at most `budget` steps. */
export function longestWithin(expression: Expression, budget: number, most: number): number {
  const steps = (length: number) => {
    const { ways, steps } = costOf(expression, length);
    return (length + 1) * (ways + steps);
  };
  let low = -1;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (steps(middle) <= budget) low = middle;
    else high = middle - 1;
  }
  return low;
}

function costOf(expression: Expression, length: number): Cost {
  switch (expression.kind) {
    case 'character':
    case 'assertion':
      return { ways: 1, steps: 1 };
    case 'look':
      return { ways: 1, steps: 1 + costOf(expression.body, length).steps };
    case 'sequence':
      return expression.parts.reduce<Cost>(
        ({ ways, steps }, part) => {
          const cost = costOf(part, length);
          return { ways: ways * cost.ways, steps: steps + ways * cost.steps };
        },
        { ways: 1, steps: 0 },
      );
    case 'choice': {
      const costs = expression.options.map((option) => costOf(option, length));
      return {
        ways: costs.reduce((sum, { ways }) => sum + ways, 0),
        steps: costs.reduce((sum, { steps }) => sum + steps + 1, 0),
      };
    }
    case 'repeat':
      return repeated(costOf(expression.body, length), expression, length);
  }
}

function repeated(body: Cost, { min, max }: { min: number; max: number }, length: number): Cost {
  const rounds = Math.min(max, min + length + 1);
  if (body.ways <= 1)
    return { ways: rounds - Math.min(min, rounds) + 1, steps: 1 + rounds * (body.steps + 1) };
  // Each repetition multiplies the ways.
  const ways = body.ways ** rounds;
  return { ways: 2 * ways, steps: 2 * ways * (body.steps + 1) };
}
