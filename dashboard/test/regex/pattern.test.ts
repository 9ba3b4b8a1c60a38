// A reader's regular expressions: they match what JavaScript's engine matches, and no text makes one of them run long.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedPattern } from '../../src/regex/bounded.ts';
import { longestWithin } from '../../src/regex/cost.ts';
import { Matcher } from '../../src/regex/matcher.ts';
import { literalPattern, type Pattern, PatternError, rowBudget } from '../../src/regex/pattern.ts';
import { compile } from '../../src/regex/program.ts';
import { parse } from '../../src/regex/syntax.ts';
import { CATASTROPHES } from './catastrophes.ts';

/** Matches with the bounded engine, whatever the length of the text. */
function bounded(source: string, flags: string) {
  const matcher = new Matcher(compile(parse(source, flags)), /[uv]/.test(flags));
  return {
    test: (text: string) => matcher.test(text, text.length),
    find: (text: string) =>
      [...matcher.matches(text, text.length, Number.POSITIVE_INFINITY)].map(({ start, end }) => [start, end]),
  };
}

function native(source: string, flags: string) {
  const pattern = new RegExp(source, `${flags}g`);
  return {
    test: (text: string) => new RegExp(source, flags).test(text),
    find: (text: string) =>
      [...text.matchAll(pattern)].map((match) => [match.index, match.index + match[0].length]),
  };
}

/** Nested repetitions may be too large for the bounded engine, and may not end in JavaScript's. */
function isFeasible(source: string, flags: string, text: string): boolean {
  const expression = parse(source, flags);
  try {
    compile(expression);
  } catch (error) {
    return !(error instanceof PatternError);
  }
  return longestWithin(expression, 10_000_000, text.length).length === text.length;
}

/** V8 also finds empty matches between the halves of a pair of surrogates, where neither u nor v lets one begin: they are left out. */
function agree(source: string, flags: string, text: string) {
  const isWithinPair = (at: number) =>
    /[uv]/.test(flags) && /^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(at - 1));
  const results = [bounded, native].map((engine) => {
    const { test, find } = engine(source, flags);
    const found = find(text).filter(([start = 0]) => start === 0 || !isWithinPair(start));
    return { source, flags, text, test: test(text) && found.length > 0, find: found };
  });
  expect(results[0]).toEqual(results[1]);
}

const TEXTS = [
  '',
  'Upstream answered 429: slow down',
  'GET /v1/chat/completions 503 in 12.5 ms\nPOST /v1/embeddings 200 in 3 ms\r\n',
  'a_b-c {x} [y] (z) \\ / | ^ $ . * + ? é ß K ſ İ 😀 \ud800 x\u2028y',
  'aaaabbbab aab  ab',
  'level=error msg="CUDA out of memory" gpu=7 took=1.25s',
];

describe('the bounded engine', () => {
  it.each([
    ['error.*timeout|429', ''],
    ['\\b(GET|POST) \\S+ [45]\\d\\d', ''],
    ['^post', 'im'],
    ['ms$', 'm'],
    ['^$', 'm'],
    ['(?<=msg=")[^"]*', ''],
    ['(?<!\\d)\\d{3}(?!\\d)', ''],
    ['^(?!.*GET).*\\d', 's'],
    ['(?=.*gpu)(?=.*error)level', ''],
    ['gpu=(?<gpu>\\d+)', ''],
    ['[^]', ''],
    ['[]', ''],
    ['[\\]\\-a]+', ''],
    ['\\u0061\\x62|\\cJ|\\0|\\t', ''],
    ['\\u{61}', ''],
    ['\\u{61}', 'u'],
    ['\\ud83d\\ude00|.', 'u'],
    ['\\ud83d', ''],
    ['.', ''],
    ['.', 'u'],
    ['\\p{L}+', 'u'],
    ['[\\p{L}--[a-z]]+', 'v'],
    ['\\w+', 'iu'],
    ['\\b.\\b', 'iu'],
    ['k|ß|s', 'i'],
    ['k|ß|s', 'iu'],
    ['x{,3}|{|}|]', ''],
    ['\\8|\\1|\\k|\\c', ''],
    ['(?:(?i:A)b)+', ''],
    ['a*?b|a{2,3}?|a{2}', ''],
    ['(?:a|b??){2,4}', ''],
    ['(?:|a)*', ''],
    ['(?:|a)+', ''],
    ['(?:|a){0,2}', ''],
    ['(?:a*?)*b?', ''],
    ['(?:(?:a?)*b?)*', ''],
    ['(?:\\b|a)*', ''],
    ['(?=a)*a', ''],
    ['(a*)(b*)*$', ''],
    ['', ''],
    ['|', ''],
  ])('finds with /%s/%s what JavaScript finds', (source, flags) => {
    for (const text of TEXTS) agree(source, flags, text);
  });

  it('agrees with JavaScript on any expression and text', () => {
    fc.assert(
      fc.property(
        expressions,
        fc.constantFrom('', 'i', 'm', 's', 'u', 'ims', 'iu', 'v'),
        fc.string({ unit: fc.constantFrom('a', 'b', 'A', ' ', '\n', '1', '😀', '\ud83d'), maxLength: 9 }),
        (source, flags, text) => {
          fc.pre(isFeasible(source, flags, text));
          agree(source, flags, text);
        },
      ),
      { numRuns: 4_000 },
    );
  });
});

// Expressions of few letters, so that they match often. Repetitions of expressions that may be empty are the hard
// cases.
const { expression: expressions } = fc.letrec<{ expression: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\w',
      '\\W',
      '\\d',
      '\\s',
      '',
      '^',
      '$',
      '\\b',
      '\\B',
      '😀',
    ),
    tie('expression').map((inner) => `(?:${inner})`),
    tie('expression').map((inner) => `(${inner})`),
    fc
      .tuple(fc.constantFrom('?=', '?!', '?<=', '?<!'), tie('expression'))
      .map(([sign, inner]) => `(?:(${sign}${inner}))`),
  ),
  expression: fc
    .array(
      fc
        .tuple(
          tie('atom'),
          fc.constantFrom('', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{0,2}', '{1,3}?', '{2,}', '{0}'),
        )
        .map(([atom, quantifier]) => (quantifier === '' ? atom : `(?:${atom})${quantifier}`)),
      { maxLength: 3 },
    )
    .chain((parts) => fc.oneof(fc.constant(parts.join('')), fc.constant(parts.join('|')))),
}));

describe('a reader’s expression', () => {
  it.each(CATASTROPHES)('/%s/ comes to an end on a long line', (source) => {
    let pattern: Pattern;
    try {
      pattern = boundedPattern(source, '');
    } catch (error) {
      expect(error).toBeInstanceOf(PatternError); // refused in words is an end, too
      return;
    }
    // JavaScript's engine would take longer for these than any test may run.
    for (const text of ['a'.repeat(5_000), `${'a'.repeat(20_000)}!`]) {
      pattern.test(text);
      pattern.find(text);
    }
  });

  it('is right about a long line, on which JavaScript’s engine would not end', () => {
    const line = 'a'.repeat(5_000);
    expect(boundedPattern('(a|a)*$', '').test(line)).toBe(true);
    expect(boundedPattern('^(a|aa)+$', '').test(`${line}!`)).toBe(false);
    expect(boundedPattern('(.*a){20}', '').test(line)).toBe(true);
    expect(boundedPattern('(.*b){20}', '').test(line)).toBe(false);
    expect(boundedPattern('(a|a)*b', '').find(`${line.slice(0, 500)}b aab`)).toEqual([
      { start: 0, end: 501 },
      { start: 502, end: 505 },
    ]);
  });

  it('has one budget for all the texts of a row, such as its attributes', () => {
    const pattern = boundedPattern('(a|b)*c', '');
    const budget = rowBudget();
    const texts = Array.from({ length: 2_000 }, () => 'a'.repeat(1_000));
    expect(texts.some((text) => pattern.test(text, budget))).toBe(false);
    expect(budget.steps).toBeGreaterThanOrEqual(0);
    expect(pattern.test(`${'a'.repeat(999)}c`, budget)).toBe(false); // it is spent
    expect(pattern.test(`${'a'.repeat(999)}c`)).toBe(true);
  });

  it.each([
    ['(\\w+) \\1', ''],
    ['(?<w>a+)\\k<w>', ''],
    ['(a{1000}){1000}', ''],
    ['(?:){100000000}', ''],
    ['\\p{RGI_Emoji}', 'v'],
    ['\\1(a)', ''],
    ['\\k<x>(?<x>a)', ''],
    ['(?:'.repeat(200) + ')'.repeat(200), ''],
    ['a'.repeat(1_001), ''],
    ['\\p{L}'.repeat(6), 'u'],
    ['(', ''],
  ])('/%.40s/%s is refused in words', (source, flags) => {
    expect(() => boundedPattern(source, flags)).toThrow(PatternError);
  });

  it('counts alternatives that are the same as one', () => {
    const pattern = boundedPattern(`(?:${'|'.repeat(900)}a){600}x`, '');
    expect([pattern.test(`${'a'.repeat(200)}x`), pattern.test('a'.repeat(200))]).toEqual([true, false]);
  });
});

it('a plain text is found from the beginning, whatever was tested before', () => {
  const pattern = literalPattern('a');
  expect(pattern.test('......a')).toBe(true);
  expect(pattern.find('a..a')).toEqual([
    { start: 0, end: 1 },
    { start: 3, end: 4 },
  ]);
});
