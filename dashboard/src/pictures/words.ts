// Counts, times and texts of others in words, as the pictures say them.
import { spansOf } from '../log/text.ts';
import { duration } from '../log/time.ts';

/** What nobody has said. */
export const UNKNOWN = '–';
/** The most characters of a text that one cell shows. */
export const MAX_TEXT = 160;

/** `1 error`, `2 errors`. */
export function plural(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}

export function wholeSeconds(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : duration(ms);
}

/** The beginning of a text, on one line, with nothing in it that could hide or move the rest. */
export function visible(text: string, limit = MAX_TEXT): string {
  return spansOf(text, limit, false)
    .map((span) => span.text)
    .join('');
}

export function figure(value: number | undefined): string {
  if (value === undefined) return UNKNOWN;
  if (value > 0 && value < 9.95 && !Number.isInteger(value)) return value.toFixed(1);
  return value < 999.5 ? String(Math.round(value)) : Math.round(value).toLocaleString('en');
}

/** A number of seconds without its unit: `0.05`, `3.2`, `14`. */
export function seconds(value: number): string {
  return value < 0.095 ? value.toFixed(2) : value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}
