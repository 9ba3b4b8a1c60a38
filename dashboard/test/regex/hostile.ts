// Expressions that are written to cost as much as possible, up to the length that a filter allows, and texts for them.

import fc from 'fast-check';
import { MAX_SOURCE, REACH } from '../../src/regex/bounds.ts';

const QUANTIFIERS = [
  '*',
  '+',
  '?',
  '*?',
  '+?',
  '??',
  '{2}',
  '{3}',
  '{0,9}',
  '{9,}',
  '{50}',
  '{600}',
  '{9999}',
  '{0}',
];
const ATOMS = [
  '',
  'a',
  '.',
  '[^b]',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '\\b',
  '\\B',
  '^',
  '$',
  '\\u00e9',
  '[aé]',
  'é',
  '()',
  '(?:)',
];
const OPENINGS = ['(?:', '(', '(?=', '(?!', '(?<=', '(?<!'];

const quantifier = fc.constantFrom(...QUANTIFIERS);
const isLook = (opening: string) => /[=!]$/.test(opening);

/** The ways to make an expression larger; each is repeated until there is no room left. */
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom(...ATOMS),
    // Alternations of hundreds of the same, most of all of nothing.
    fc
      .tuple(tie('expression'), fc.integer({ min: 1, max: 999 }))
      .map(([each, count]) => `(?:${`${each}|`.repeat(Math.min(count, fits(each.length + 1)))}a)`),
    // Sequences of hundreds of the same.
    fc
      .tuple(tie('expression'), fc.integer({ min: 1, max: 999 }))
      .map(([each, count]) => each.repeat(Math.min(count, fits(each.length)))),
    // Repetitions in repetitions, and look-arounds in both.
    fc
      .tuple(tie('expression'), fc.constantFrom(...OPENINGS), quantifier, fc.integer({ min: 1, max: 250 }))
      .map(([body, opening, times, depth]) => {
        const close = isLook(opening) ? '))' : ')';
        const open = isLook(opening) ? `(?:${opening}` : opening;
        const count = Math.min(
          depth,
          Math.max(1, fits(open.length + close.length + times.length, body.length)),
        );
        return open.repeat(count) + body + (close + times).repeat(count);
      }),
    // Different ones beside each other.
    fc
      .array(fc.tuple(tie('expression'), quantifier), { maxLength: 5 })
      .map((parts) => parts.map(([part, times]) => `(?:${part})${times}`).join('')),
    fc.array(tie('expression'), { maxLength: 5 }).map((parts) => `(?:${parts.join('|')})`),
  ),
}));

function fits(length: number, beside = 0): number {
  return Math.floor((MAX_SOURCE - 20 - beside) / Math.max(1, length));
}

export const hostileExpressions = fc
  .tuple(expression, fc.constantFrom('', 'x', '$'))
  .map(([body, end]) => body + end)
  .filter((source) => source.length <= MAX_SOURCE);

export const hostileFlags = fc.constantFrom('', 'i', 'm', 's', 'u', 'iu', 'v', 'iv');

export const HOSTILE_TEXTS = [
  'a'.repeat(REACH),
  'ab '.repeat(REACH / 2),
  '😀'.repeat(REACH / 2),
  '\ud800'.repeat(REACH),
  `${'é'.repeat(REACH)}x`,
  // Each character is another one, so that no answer about one of them is known from before.
  Array.from({ length: REACH }, (_, i) => String.fromCharCode(0x80 + i)).join(''),
];
