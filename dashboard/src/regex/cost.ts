// Computes how many steps JavaScript's own engine may take at worst. That engine tries one way of matching after another: it is far
// faster than ours on ordinary expressions, and does not come to an end on others, such as `(a|a)*b` on a text of a hundred a.

import { NATIVE_CLASS, NATIVE_SIZE } from './bounds.ts';
import type { Expression } from './syntax.ts';

interface Cost {
  /** The number of ways in which the expression may match from one position. */
  ways: number;
  /** The number of steps that it takes to try all ways. */
  steps: number;
}

/**
 * The length of the longest text, up to `most`, on which JavaScript's engine takes at most `budget` steps, and the steps that
 * it takes for each position of that text. The length is -1 if there is no such text.
 */
export function longestWithin(
  expression: Expression,
  budget: number,
  most: number,
): { length: number; price: number } {
  const price = (length: number) => {
    const { ways, steps } = costOf(expression, length);
    return ways + steps;
  };
  let low = -1;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((middle + 1) * price(middle) <= budget) low = middle;
    else high = middle - 1;
  }
  return { length: low, price: price(low) };
}

/**
 * Whether JavaScript's engine compiles the expression within milliseconds. For `(?:(?:a|b){3}…){3}` of 900 characters it would take
 * 200 ms.
 */
export function isQuickToCompile(expression: Expression): boolean {
  return nativeSize(expression) <= NATIVE_SIZE;
}

function nativeSize(expression: Expression): number {
  switch (expression.kind) {
    case 'character': {
      const { source, flags } = expression;
      const isLarge = /[uv]/.test(flags) && (flags.includes('i') || /\\p/i.test(source));
      return isLarge && source.length > 1 ? NATIVE_CLASS : 1;
    }
    case 'assertion':
      return 1;
    case 'look':
      return 1 + nativeSize(expression.body);
    case 'sequence':
      return expression.parts.reduce((sum, part) => sum + nativeSize(part), 1);
    case 'choice':
      return expression.options.reduce((sum, option) => sum + 1 + nativeSize(option), 1);
    case 'repeat':
      // JavaScript's engine writes out up to three rounds, and the loop after them.
      return 1 + nativeSize(expression.body) * Math.min(expression.max, 4);
  }
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
        // A group costs something also where it is empty.
        { ways: 1, steps: 1 },
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
  // Each round multiplies the ways.
  const ways = body.ways ** rounds;
  return { ways: 2 * ways, steps: 2 * ways * (body.steps + 1) };
}
