// Schemas of values that both the environment and the prompts file have. Their errors say in plain words what is allowed.

import { z } from 'zod';

export function words(max: number) {
  const rule = `must be a text of 1 to ${max} characters`;
  return z.string(rule).min(1, rule).max(max, rule);
}

/** A number from `min` to `max`, both included. */
export function number(kind: 'a number' | 'a whole number', min: number, max: number) {
  const rule = `must be ${kind} from ${min} to ${max}`;
  const any = kind === 'a number' ? z.number(rule) : z.int(rule);
  return any.min(min, rule).max(max, rule);
}

/** The address of a model service. @param instead names the setting for the key, which must not be in the URL. */
export function baseUrl(instead: string) {
  const rule = 'must look like https://api.example.com/v1';
  return z
    .string(rule)
    .refine(isHttp, { error: rule, abort: true })
    .refine(hasNoCredentials, `must hold no user name or password: use ${instead}`)
    .refine((url) => !/[?#]/.test(url), 'must end with its path, without ? or #');
}

export const KEY_RULE = 'must be a key as its service gave it: visible ASCII characters, no blanks';

/** Whether an HTTP header can carry the text as it is. */
export function isKey(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

function isHttp(url: string): boolean {
  return ['http:', 'https:'].includes(URL.parse(url)?.protocol ?? '');
}

function hasNoCredentials(url: string): boolean {
  const { username, password } = new URL(url);
  return username === '' && password === '';
}
