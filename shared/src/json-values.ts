// Counts the values that a JSON text holds, before it is parsed: parsing a megabyte of short keys and copying the objects held
// the event loop for 549 ms, where 50 ms is the limit. `{"a":[1,2]}` holds four values.

/** The most values of one entry. A posted entry with more is refused, and a message with more is shown as text. */
export const MAX_ENTRY_VALUES = 10_000;
/** A text of at most this length is not counted: it has no room for enough values to make parsing slow. */
const SMALL = 65_536;

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const BRACKET = 0x5b;
export const BRACE = 0x7b;
export const BRACKET_END = 0x5d;
export const BRACE_END = 0x7d;
const BACKSLASH = 0x5c;

/** Whether `text`, if it is JSON, holds more than `most` values. Each character is looked at once. */
export function holdsMoreThan(most: number, text: string): boolean {
  if (text.length <= SMALL) return false;
  let count = 1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if ((code === COMMA || code === BRACKET || code === BRACE) && ++count > most) return true;
  }
  return false;
}

/** Whether `text`, if it is JSON, has more than `most` levels. Each character is looked at once. */
export function isDeeperThan(most: number, text: string): boolean {
  let levels = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === BRACKET || code === BRACE) {
      if (++levels > most) return true;
    } else if (code === BRACKET_END || code === BRACE_END) levels--;
  }
  return false;
}

/** The index of the quote that ends the string which begins at `start`; `limit` or more if there is none before. */
export function endOfString(text: string, start: number, limit = text.length): number {
  for (let i = start + 1; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i;
  }
  return limit;
}

/** Whether a parsed value holds more than `most` values. Stops counting at the first one above `most`. */
export function isWiderThan(most: number, value: unknown): boolean {
  return count(value, most, DEEPEST) < 0;
}

/** Deeper levels are not counted: attributes of this depth are refused or cut anyway, and the recursion must end. */
const DEEPEST = 64;

/** `most` minus the values in `value`; below 0 if there are too many. */
function count(value: unknown, most: number, levels: number): number {
  let left = most - 1;
  if (typeof value !== 'object' || value === null || levels === 0) return left;
  for (const key in value) {
    left = count((value as Record<string, unknown>)[key], left, levels - 1);
    if (left < 0) return left;
  }
  return left;
}
