// Counts and times in words, as the fleet says them.
import { duration } from '../log/time.ts';

/** `1 error`, `2 errors`. */
export function plural(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}

export function wholeSeconds(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : duration(ms);
}
