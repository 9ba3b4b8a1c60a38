// The names of tools as models see them. Services of models take at most 64 of A-Za-z0-9_- and refuse a whole request for one bad name,
// while servers name tools by up to 128 characters, `.` and `/` among them.

import { createHash } from 'node:crypto';

const MAX_NAME = 64;
const HASH_DIGITS = 8;

/** `server__tool`. Where that says less than the names do, it ends in a hash of them, so that two tools never get one name by chance. */
export function modelName(server: string, tool: string): string {
  const plain = `${server}__${tool}`;
  const safe = plain.replace(/[^A-Za-z0-9_-]/g, '_');
  if (safe === plain && plain.length <= MAX_NAME) return plain;
  const hash = createHash('sha256').update(`${server}\0${tool}`).digest('hex').slice(0, HASH_DIGITS);
  return `${safe.slice(0, MAX_NAME - HASH_DIGITS - 1)}_${hash}`;
}

/** Whether a pattern names a tool: `listings__findListings` that one, `listings__*` all of a server. */
export function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Whether a pattern can match names with this beginning. */
export function mayMatch(pattern: string, prefix: string): boolean {
  return pattern.startsWith(prefix) || (pattern.endsWith('*') && matches(pattern, prefix));
}
