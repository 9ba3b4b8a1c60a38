// What people and programs are called here of whom only somebody outside knows: an owner that nobody else can get, and a name that
// is safe to show.

import { hash } from 'node:crypto';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

const MAX_SUBJECT = 1_000;

/** Whether a claim `sub` names somebody. */
export function isSubject(sub: unknown): sub is string {
  return typeof sub === 'string' && sub !== '' && sub.length <= MAX_SUBJECT;
}

/** The same for a token and for a sign-in of the same subject, so that both own the same runs. 100 bits of the digest. */
export function ownerOfSubject(issuer: string, subject: string): string {
  // As JSON, so that no two pairs are the same text: a space or a colon may stand in both.
  const digest = hash('sha256', JSON.stringify([issuer, subject]), 'buffer');
  let owner = 'j-'; // no person's name may begin so
  for (let i = 0; i < 20; i++) {
    const bit = i * 5;
    const two = ((digest[bit >> 3] as number) << 8) | (digest[(bit >> 3) + 1] as number);
    owner += BASE32[(two >> (11 - (bit & 7))) & 31];
  }
  return owner;
}

/** The first of `names` that is a text, without control characters (or characters that turn a line around), and not too long. */
export function shownName(...names: readonly unknown[]): string {
  for (const name of names) {
    if (typeof name !== 'string') continue;
    const shown = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
    if (shown !== '') return shown.slice(0, 100).toWellFormed();
  }
  return 'unnamed';
}
