// Random letters and digits for keys and tokens: each as likely as any other, so that 43 of them are 256 bits.

import { randomBytes } from 'node:crypto';

const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** Lower case alone, for what people read aloud. */
export const BASE36 = 'abcdefghijklmnopqrstuvwxyz0123456789';

export function randomText(length: number, alphabet = BASE62): string {
  // A byte above the last whole multiple would make the first letters likelier.
  const most = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length)
    for (const byte of randomBytes(length)) if (byte < most) text += alphabet[byte % alphabet.length];
  return text.slice(0, length);
}

/** A number below 62^length in `length` letters. */
export function base62(number: number, length: number): string {
  let text = '';
  for (let rest = number; text.length < length; rest = Math.floor(rest / 62)) text = BASE62[rest % 62] + text;
  return text;
}
