import { describe, expect, it } from 'vitest';
import { EVERYONE } from '../../src/auth/principal.ts';
import { decisionOf, reasonOf } from '../../src/http/decision.ts';

describe('a decision', () => {
  it('names nobody where nobody signs in', () => {
    expect(decisionOf(EVERYONE, true)).toEqual({ approved: true });
  });

  it('names whoever has signed in, also a key that is called everyone', () => {
    expect(decisionOf({ ...EVERYONE, kind: 'key' }, false, 'no')).toEqual({
      approved: false,
      by: 'everyone',
      reason: 'no',
    });
  });

  it('has a reason of at most 500 characters, or is told that', () => {
    expect([reasonOf('x'.repeat(500), 'resume'), reasonOf(null, 'resume')]).toEqual([
      'x'.repeat(500),
      undefined,
    ]);
    for (const reason of ['x'.repeat(501), 5])
      expect(() => reasonOf(reason, 'resume')).toThrow('resume: a reason must be a text of at most 500');
  });
});
