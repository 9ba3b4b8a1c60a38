// What the environment and the prompts file have in common: values whose complaint says in plain words what is allowed.

import { z } from 'zod';

export function words(max: number) {
  const rule = `must be a text of 1 to ${max} characters`;
  return z.string(rule).min(1, rule).max(max, rule);
}

/** With an inclusive range. */
export function number(kind: 'a number' | 'a whole number', min: number, max: number) {
  const rule = `must be ${kind} from ${min} to ${max}`;
  const any = kind === 'a number' ? z.number(rule) : z.int(rule);
  return any.min(min, rule).max(max, rule);
}

/** Where a model is served. @param instead where a key belongs, which must not stand in the URL. */
export function baseUrl(instead: string) {
  const rule = 'must look like https://api.example.com/v1';
  return z
    .string(rule)
    .refine(isHttp, { error: rule, abort: true })
    .refine(holdsNobody, `must hold no user name or password: use ${instead}`)
    .refine((url) => !/[?#]/.test(url), 'must end with its path, without ? or #');
}

export const KEY_RULE = 'must be a key as its service gave it: visible ASCII characters, no blanks';

/** Whether an HTTP header can carry it as it is. */
export function isKey(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

function isHttp(url: string): boolean {
  return ['http:', 'https:'].includes(URL.parse(url)?.protocol ?? '');
}

function holdsNobody(url: string): boolean {
  const { username, password } = new URL(url);
  return username === '' && password === '';
}
