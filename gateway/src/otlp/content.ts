// Takes the texts of people and models out of attributes, and says how many bytes they were.

import { isContent, type Where } from './private-keys.ts';
import type { Attributes } from './values.ts';

export const CONTENT_BYTES = 'content_bytes';

export function withoutContent(attributes: Attributes, shown: boolean, where: Where): Attributes {
  if (shown) return attributes;
  let bytes = 0;
  const kept: Attributes = new Map();
  for (const [key, value] of attributes)
    if (isContent(key, value, where)) bytes += sizeOf(value);
    else kept.set(key, value);
  if (bytes > 0) kept.set(CONTENT_BYTES, bytes);
  return kept;
}

/** About the bytes of a value that is not shown. */
export function sizeOf(value: unknown): number {
  return Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value ?? ''));
}
