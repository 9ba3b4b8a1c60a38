// Effective channels: what is left of a query by one's grants is exactly what both match, in few patterns, and the same whether a
// channel exists or not.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effective, mayPublish, mayRead } from '../../../src/auth/rights/grants.ts';

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

/** Whether one of `globs` matches `channel`, found without code of the product. */
const oracle = (globs: readonly string[], channel: string) =>
  globs.some((glob) => {
    const prefix = /^(runs:|conversations:|events:runs:|audit:)/.exec(channel)?.[0] ?? '';
    const body = glob.replaceAll(/[.\\^$+?()[\]{}|/-]/g, String.raw`\$&`).replaceAll(/\*+/g, '.*');
    return glob.startsWith(prefix) && new RegExp(`^${body}$`).test(channel);
  });

describe('effective channels', () => {
  it.each([
    ['what is allowed stays as it is', ['logs:*', 'logs:a'], ['*'], ['logs:*', 'logs:a'], false],
    ['* becomes the grants', ['*'], ['logs:b*', 'logs:a*'], ['logs:a*', 'logs:b*'], true],
    ['* holds nothing reserved', ['*'], ['logs:a*', 'runs:me/*', 'audit:*'], ['logs:a*'], true],
    ['what an allowed pattern covers stays', ['logs:a:*'], ['logs:a*'], ['logs:a:*'], false],
    ['a reserved pattern meets its own only', ['runs:*'], ['*', 'runs:me/*'], ['runs:me/*'], true],
    ['what others cover goes', ['*', 'logs:a1'], ['logs:a*'], ['logs:a*'], true],
    ['patterns with nothing in common go', ['logs:*', 'x:*'], ['logs:a*'], ['logs:a*'], true],
  ])('%s', (_claim, requested, allowed, channels, narrowed) => {
    expect(effective(requested, allowed)).toEqual({ channels, narrowed });
  });

  it.each([
    ['a channel that is named and not allowed', ['logs:b', 'logs:a'], 'channel_forbidden'],
    ['a reserved channel under *', ['runs:r1'], 'channel_forbidden'],
    ['a pattern of which nothing is left', ['x:*'], 'channel_forbidden'],
  ])('refuses %s', (_what, requested, code) => {
    expect(codeOf(() => effective(requested, ['logs:a*']))).toBe(code);
  });

  it('refuses what takes too many patterns, too many stars, or too much time', () => {
    const many = Array.from({ length: 101 }, (_, i) => `logs:${i}:*`);
    expect(codeOf(() => effective(['*'], many))).toBe('invalid_query');
    expect(effective(['*'], many.slice(1)).channels).toHaveLength(100);
    const starry = Array.from({ length: 11 }, (_, i) => `*:${i}`);
    expect(codeOf(() => effective(['*'], starry))).toBe('invalid_query');
    expect(codeOf(() => effective(['*a*b*'], ['*c*d*']))).toBe('invalid_query');
    const long = Array.from({ length: 50 }, (_, i) => `*${'a'.repeat(150)}*${i}*`);
    const hostile = Array.from({ length: 10 }, (_, i) => `*${'ab'.repeat(70)}*${i}*`);
    expect(codeOf(() => effective(hostile, long))).toBe('invalid_query');
  });

  it('are what both the query and the grants match', () => {
    const unit = fc.constantFrom('a', 'b', ':', 'runs:', 'logs', '*');
    const pattern = fc
      .array(unit, { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join('').replaceAll(/\*+/g, '*'));
    const patterns = fc.array(pattern, { minLength: 1, maxLength: 4 });
    const names = fc.array(
      fc
        .array(fc.constantFrom('a', 'b', ':', 'runs:', 'logs'), { minLength: 1, maxLength: 5 })
        .map((parts) => parts.join('')),
      { minLength: 20, maxLength: 20 },
    );
    let kept = 0;
    fc.assert(
      fc.property(patterns, patterns, names, (requested, allowed, channels) => {
        let left: readonly string[];
        try {
          left = effective([...new Set(requested)].sort(), allowed).channels;
        } catch (error) {
          expect(['channel_forbidden', 'invalid_query']).toContain((error as { code: string }).code);
          return;
        }
        kept++;
        for (const channel of channels)
          expect(oracle(left, channel), channel).toBe(oracle(requested, channel) && oracle(allowed, channel));
      }),
      { numRuns: 2_000 },
    );
    expect(kept).toBeGreaterThan(100);
  });
});

it('one channel may be read or written if a grant matches it', () => {
  const grants = { read: ['logs*'], publish: ['ci:*'], run: false, metrics: false, admin: false };
  expect(['logs', 'logs:x', 'log', 'runs:x', 'audit:x'].map((name) => mayRead(grants, name))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
  expect(['ci:1', 'ci', 'logs'].map((name) => mayPublish(grants, name))).toEqual([true, false, false]);
});
