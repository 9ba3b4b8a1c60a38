// Positions as text: round trip, and nothing but the one form is read.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BEGINNING, formatPosition, parsePosition, positionAt, timeOf } from '../../src/broker/position.ts';

const position = fc.maxSafeNat();

describe('a position', () => {
  it('comes back from its text', () => {
    fc.assert(
      fc.property(position, (n) => {
        expect(parsePosition(formatPosition(n))).toBe(n);
      }),
    );
  });

  it('is written with its time before it', () => {
    expect(formatPosition(1_795_224_320_113_456)).toBe('1795224320113-1795224320113456');
    expect(timeOf(1_795_224_320_113_456)).toBe(1_795_224_320_113);
    expect(formatPosition(BEGINNING)).toBe('0-0');
  });

  it.each([
    '',
    '-',
    '5',
    '5-',
    '-5',
    '1-2-3',
    ' 1-2',
    '1-2\n',
    '1-2 ',
    '+1-2',
    '1--2',
    '0x1-0x2',
    '1e3-1e3',
    '1.5-2.5',
    '1-9007199254740992',
    '1-99999999999999999',
    `1-${'9'.repeat(1000)}`,
    '1-١',
  ])('is not read from %j', (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  it('is a safe number or nothing, for any text', { timeout: 120_000 }, () => {
    const near = fc.tuple(fc.stringMatching(/^[\d-]{0,20}$/), fc.string({ unit: 'binary', maxLength: 3 }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          near.map((parts) => parts.join('')),
        ),
        (text) => {
          const n = parsePosition(text);
          expect(n === undefined || (Number.isSafeInteger(n) && n >= 0)).toBe(true);
        },
      ),
    );
  });
});

describe('the position at a time', () => {
  it('lies before every entry of that millisecond and after every entry of the one before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8_000_000_000_000 }), fc.nat(999), (ms, µs) => {
        expect(positionAt(ms)).toBeLessThan(ms * 1000 + µs);
        expect(positionAt(ms)).toBeGreaterThanOrEqual((ms - 1) * 1000 + µs);
      }),
    );
  });

  it('is the beginning for a time before the epoch', () => {
    expect(positionAt(-5)).toBe(BEGINNING);
    expect(positionAt(0)).toBe(BEGINNING);
  });
});
