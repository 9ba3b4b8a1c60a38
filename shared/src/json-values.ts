// How many values a JSON text holds, counted before anything is made of them: a megabyte of short keys takes the parser, and
// whoever copies its objects, longer than the event loop may be held.

/** Of one entry, most; what holds more is refused, or shown as text. */
export const MAX_ENTRY_VALUES = 10_000;
/** A text of at most so many characters has no room for values that would take long. */
const SMALL = 65_536;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACE = 0x7b;

/** Whether `text`, if it is JSON, holds more than `most` values. Looks at each character once. */
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

/** The index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i;
  }
  return text.length;
}

/** Whether what was parsed holds more than `most` values. Ends with the first that is too many. */
export function isWiderThan(most: number, value: unknown): boolean {
  return count(value, most, DEEPEST) < 0;
}

/** What lies deeper is not looked at: attributes so deep are refused or cut, and a stack has an end. */
const DEEPEST = 64;

/** What is left of `most` after the values in `value`; below 0 as soon as they are too many. */
function count(value: unknown, most: number, levels: number): number {
  let left = most - 1;
  if (typeof value !== 'object' || value === null || levels === 0) return left;
  for (const key in value) {
    left = count((value as Record<string, unknown>)[key], left, levels - 1);
    if (left < 0) return left;
  }
  return left;
}
