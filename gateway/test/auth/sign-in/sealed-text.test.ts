// A text that a browser keeps: opened by those who have the same secret and purpose, unchanged and in time; by nobody else.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SealedText } from '../../../src/auth/sign-in/sealed-text.ts';

const SECRET = 'a secret of all gateways';
const MINUTE_MS = 60_000;
let now = 0;
const sealed = (secret = SECRET, purpose = 'sign-in') => new SealedText(secret, purpose, () => now);

describe('a sealed text', () => {
  it('is opened by any gateway with the same secret, and fits into a cookie', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        const made = sealed().seal(text, now + MINUTE_MS);
        expect(made).toMatch(/^[\w-]+$/);
        expect(sealed().open(made)).toBe(text);
      }),
    );
  });

  it('is different each time, and shows nothing of the text', () => {
    const [one, other] = [0, 1].map(() => sealed().seal('state', now + MINUTE_MS)) as [string, string];
    expect(one).not.toBe(other);
    expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('state');
  });

  it('is not opened after its time', () => {
    now = 1_000;
    const made = sealed().seal('text', 2_000);
    now = 1_999;
    expect(sealed().open(made)).toBe('text');
    now = 2_000;
    expect(sealed().open(made)).toBeUndefined();
  });

  it('is not opened with another secret, or for another purpose', () => {
    const made = sealed().seal('text', now + MINUTE_MS);
    expect(sealed('another secret of gateways').open(made)).toBeUndefined();
    expect(sealed(SECRET, 'another').open(made)).toBeUndefined();
  });

  it('is not opened if a single bit of it was changed, and neither is anything made up', () => {
    const made = Buffer.from(sealed().seal('text', now + MINUTE_MS), 'base64url');
    fc.assert(
      fc.property(fc.nat(made.length * 8 - 1), (bit) => {
        const changed = Buffer.from(made);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(sealed().open(changed.toString('base64url'))).toBeUndefined();
      }),
    );
    fc.assert(fc.property(fc.string({ maxLength: 6_000 }), (text) => sealed().open(text) === undefined));
  });
});
