// Sets of channels: what two patterns have in common is exactly what both match, by a regular expression written apart from the
// product; nothing reserved gets in by way of a pattern that does not name it; hostile patterns are refused before they cost much.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ChannelSet,
  intersect as charged,
  withoutCovered as chargedToo,
  stepBudget,
  TooManyPatterns,
} from '../src/channel-sets.ts';

const FREE = () => {};
const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);
const intersect = (a: string, b: string, spend: (steps: number) => void = FREE) =>
  charged(new ChannelSet(a), new ChannelSet(b), spend);
const covers = (wide: string, narrow: string) => new ChannelSet(wide).covers(new ChannelSet(narrow));
const withoutCovered = (patterns: string[]) => chargedToo(patterns, FREE);

const PREFIXES = ['runs:', 'conversations:', 'events:runs:', 'audit:'];

/** Whether `glob` matches `channel`, found without any code of the product. */
function oracle(glob: string, channel: string): boolean {
  const prefix = PREFIXES.find((reserved) => channel.startsWith(reserved)) ?? '';
  const body = glob.replaceAll(/[.\\^$+?()[\]{}|/-]/g, String.raw`\$&`).replaceAll(/\*+/g, '.*');
  return glob.startsWith(prefix) && new RegExp(`^${body}$`).test(channel);
}

// A small alphabet, so that patterns often meet; pieces of reserved prefixes, so that they may be put together by accident.
const unit = fc.constantFrom('a', 'b', ':', 'r', 'runs:', 'uns:', 'audit:', 'events:', 'logs');
const name = fc.array(unit, { minLength: 1, maxLength: 7 }).map((parts) => parts.join(''));
const pattern = fc
  .array(fc.oneof(unit, fc.constant('*')), { minLength: 1, maxLength: 7 })
  .map((parts) => parts.join(''))
  .filter((text) => text.split('*').length <= 5);

/** All names of up to six letters. Shorter patterns meet in some of them, if anywhere. */
const NAMES: string[] = [];
const ALPHABET = ['a', 'b', ':'];
for (let layer = [''], length = 0; length < 6; length++) {
  layer = layer.flatMap((text) => ALPHABET.map((letter) => text + letter));
  NAMES.push(...layer);
}

describe('intersect', () => {
  it('matches a channel exactly if both patterns do', () => {
    fc.assert(
      fc.property(pattern, pattern, fc.array(name, { minLength: 20, maxLength: 20 }), (a, b, names) => {
        const common = intersect(a, b);
        // Names that both patterns are likely to match: each common pattern with its stars filled.
        const likely = common.flatMap((one) => [one.replaceAll('*', ''), one.replaceAll('*', 'ab:')]);
        for (const channel of [...names, ...likely].filter((one) => one !== ''))
          expect(
            common.some((one) => oracle(one, channel)),
            `${a} and ${b}: ${channel}`,
          ).toBe(oracle(a, channel) && oracle(b, channel));
      }),
      { numRuns: 3_000 },
    );
  });

  it('misses none of all names of up to six letters', () => {
    const letters = fc
      .array(fc.constantFrom('a', 'b', ':', '*'), { minLength: 1, maxLength: 6 })
      .map((parts) => parts.join(''))
      .filter((text) => text.split('*').length <= 5);
    fc.assert(
      fc.property(letters, letters, (a, b) => {
        const common = intersect(a, b);
        const wrong = NAMES.filter(
          (channel) =>
            common.some((one) => oracle(one, channel)) !== (oracle(a, channel) && oracle(b, channel)),
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['logs:*', '*:errors', ['logs:*:errors', 'logs:errors']],
    ['*', 'logs*', ['logs*']],
    ['logs:a', 'logs:*', ['logs:a']],
    ['logs:a', 'logs:b', []],
    ['*', 'runs:*', []],
    ['r*', 'runs:*', []],
    ['*s:*', 'runs:alice/*', []],
    ['r*', '*uns:x', ['r*uns:x']],
    ['runs:*', 'runs:alice/*', ['runs:alice/*']],
    ['runs:*:x', 'runs:alice/*', ['runs:alice/*:x']],
    ['*', 'audit:*', []],
    ['events:*', 'events:runs:alice', []],
    ['events:*', '*:runs', ['events:*:runs', 'events:runs']],
    ['**', 'a**b', ['a*b']],
  ])('%s and %s have %j in common', (a, b, common) => {
    expect(intersect(a, b)).toEqual(common);
    expect(intersect(b, a)).toEqual(common);
  });

  it('refuses what would take too many patterns before it makes one', () => {
    const steps: number[] = [];
    const hostile = () => intersect('*a*b*c*d*e*f*g*h*', '*1*2*3*4*5*6*7*8*', (count) => steps.push(count));
    expect(hostile).toThrow(TooManyPatterns);
    expect(sum(steps)).toBeLessThan(4 * 18 * 18);
    expect(() => intersect(`*${'a*'.repeat(99)}`, `*${'b*'.repeat(60)}`)).toThrow(TooManyPatterns);
  });

  it('says the number of its steps first, however few, so that a caller can refuse', () => {
    const refuse = () => {
      throw new Error('too much');
    };
    expect(() => intersect('a*b*c', 'a*c*c', refuse)).toThrow('too much');
    expect(() => intersect('a*', 'b*', refuse)).toThrow('too much');
  });

  it('charges every way that is read, and the comparison of each with each', () => {
    const steps: number[] = [];
    const [a, b] = [`*${'a'.repeat(60)}*x*`, `*${'b'.repeat(60)}*y*`];
    const ways = intersect(a, b, (count) => steps.push(count));
    const table = (a.length + 1) * (b.length + 1);
    const read = sum(ways.map(({ length }) => length));
    expect(ways.length).toBeGreaterThan(3);
    expect(sum(steps)).toBeGreaterThan(3 * table + read + ways.length ** 2);
  });

  it('charges the comparison of each pattern with each, so that a budget ends it', () => {
    const patterns = Array.from({ length: 400 }, (_, n) => `*${n}*x`);
    expect(() => chargedToo(patterns, stepBudget(400 * 400))).toThrow(TooManyPatterns);
    expect(chargedToo(patterns, stepBudget(20 * 400 * 400)).length).toBeGreaterThan(0);
  });
});

describe('covers', () => {
  it('is never wrong: a channel that the narrow one matches is matched by the wide one', () => {
    let covered = 0;
    fc.assert(
      fc.property(pattern, pattern, name, (wide, other, fill) => {
        for (const narrow of [other, wide.replaceAll('*', other), wide.replace('*', '')]) {
          if (narrow === '' || !covers(wide, narrow)) continue;
          const channel = narrow.replaceAll('*', fill);
          if (!oracle(narrow, channel)) continue;
          covered++;
          expect(oracle(wide, channel), `${wide} covers ${narrow}: ${channel}`).toBe(true);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(covered).toBeGreaterThan(300);
  });

  it.each([
    ['logs:*', 'logs:*', true],
    ['logs:*', 'logs:errors', true],
    ['logs*', 'logs:*:x', true],
    ['*', '*:errors', true],
    ['logs:*', 'logs*', false],
    ['*', 'runs:r7', false],
    ['*', 'runs:*', false],
    ['runs:*', 'runs:alice/*', true],
    ['*', 'r*', true],
  ])('%s covers %s: %s', (wide, narrow, expected) => {
    expect(covers(wide, narrow)).toBe(expected);
  });
});

it('drops what another pattern covers, sorts the rest, and keeps reserved ones beside *', () => {
  expect(withoutCovered(['logs:b', 'runs:*', 'logs:*', 'a', 'logs:*', 'runs:x'])).toEqual([
    'a',
    'logs:*',
    'runs:*',
  ]);
  expect(withoutCovered(['*', 'logs', 'runs:me/*'])).toEqual(['*', 'runs:me/*']);
});
