// Names and patterns of channels: matching agrees with regular expressions, and reserved channels match only patterns that begin with
// their prefix.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isChannel, isExact, isPattern, isReserved, matches, missedPrefix } from '../src/channels.ts';

// A small alphabet, so that patterns often match names; `runs:` and `conversations:`, so that reserved names occur, too.
const unit = fc.constantFrom('a', 'b', ':', '.', '-', 'runs:', 'conversations:', 'logs');
const name = fc.array(unit, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));
const pattern = fc
  .array(fc.oneof(unit, fc.constantFrom('*', '**')), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(''));

function oracle(glob: string, channel: string): boolean {
  const prefix = ['runs:', 'conversations:'].find((reserved) => channel.startsWith(reserved)) ?? '';
  const body = glob.replaceAll(/[.\\^$+?()[\]{}|-]/g, String.raw`\$&`).replaceAll(/\*+/g, '.*');
  return glob.startsWith(prefix) && new RegExp(`^${body}$`).test(channel);
}

/** A name that `glob` matches: each star is replaced by a text. */
const nameFor = (glob: string) =>
  fc.array(fc.oneof(name, fc.constant('')), { minLength: 20, maxLength: 20 }).map((fills) => {
    let next = 0;
    return glob.replaceAll('*', () => fills[next++] ?? '');
  });

describe('matches', () => {
  it('agrees with a regular expression', () => {
    const pair = pattern.chain((glob) => fc.tuple(fc.constant(glob), fc.oneof(name, nameFor(glob))));
    fc.assert(
      fc.property(pair, ([glob, channel]) => {
        expect(matches(glob, channel)).toBe(oracle(glob, channel));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['*', 'logs', true],
    ['logs', 'logs', true],
    ['logs', 'logs:errors', false],
    ['logs:*', 'logs', false],
    ['logs*', 'logs:errors', true],
    ['*:errors', 'logs:errors', true],
    ['l*g*s', 'logs', true],
    ['logs*gs', 'logs', false],
    ['*logs*logs*', 'logs:log', false],
    ['**', 'logs', true],
    ['*', 'runs:r7', false],
    ['*:r7', 'runs:r7', false],
    ['run*', 'runs:r7', false],
    ['runs:*', 'runs:r7', true],
    ['runs:r7', 'runs:r7', true],
    ['*', 'conversations:c1', false],
    ['conversations:*', 'conversations:c1', true],
    ['*', 'runs', true],
  ])('%s asks for %s: %s', (glob, channel, expected) => {
    expect(matches(glob, channel)).toBe(expected);
  });

  it('is quick for the worst pattern that a stranger may send', () => {
    const worst = `${'*a'.repeat(99)}*b`;
    for (let i = 0; i < 2000; i++) expect(matches(worst, 'a'.repeat(200))).toBe(false);
  });
});

describe('names', () => {
  it.each([
    ['one word', 'logs'],
    ['parts', 'logs:errors'],
    ['one character', 'a'],
    ['all that is allowed', 'A.b_c-d:e/f09'],
    ['200 characters', 'x'.repeat(200)],
  ])('a channel may be %s', (_form, text) => {
    expect(isChannel(text)).toBe(true);
    expect(isPattern(text)).toBe(true);
    expect(isExact(text)).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['201 characters', 'x'.repeat(201)],
    ['10 kB', 'x'.repeat(10_000)],
    ['a line end after a good name', 'logs\n'],
    ['a carriage return', 'logs\r'],
    ['a space', 'a b'],
    ['an accent', 'é'],
    ['NUL', 'a\0b'],
    ['the braces of a Redis hash tag', '{x}'],
    ['a lone surrogate', 'a\ud800'],
    ['the glob characters of Redis', '[a-z]?'],
  ])('neither a channel nor a pattern may be, or hold, %s', (_form, text) => {
    expect(isChannel(text)).toBe(false);
    expect(isPattern(text)).toBe(false);
  });

  it('a pattern holds four stars and no more', () => {
    expect(isPattern('*a*b*c*')).toBe(true);
    expect(isPattern('*a*b*c*d*')).toBe(false);
  });

  it('a star makes a pattern, not a channel', () => {
    expect(isPattern('logs:*')).toBe(true);
    expect(isChannel('logs:*')).toBe(false);
    expect(isExact('logs:*')).toBe(false);
  });

  it.each([
    ['runs*', 'runs:'],
    ['run*', 'runs:'],
    ['audit*', 'audit:'],
    ['conversations*x', 'conversations:'],
    ['events:runs*', 'events:runs:'],
    ['runs:*', undefined],
    ['runs', undefined],
    ['events*', undefined],
    ['logs*', undefined],
    ['*', undefined],
  ])('%s seems to ask for what begins with %s, and does not reach it', (pattern, prefix) => {
    expect(missedPrefix(pattern)).toBe(prefix);
    if (prefix !== undefined) expect(matches(pattern, `${prefix}x`)).toBe(false);
  });

  it('what holds people’s texts is reserved', () => {
    expect(['runs:r7', 'conversations:c1', 'runs:'].every(isReserved)).toBe(true);
    expect(['runs', 'logs:runs:x', 'run:x', 'RUNS:x'].some(isReserved)).toBe(false);
  });
});
