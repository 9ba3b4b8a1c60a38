// The patterns that a filter searches for. Plain text needs this file only; the engine for regular expressions,
// bounded.ts, is loaded with the first expression.

export interface Found {
  start: number;
  end: number;
}

export interface Pattern {
  test(text: string): boolean;
  /** The first matches that are not empty, from left to right; fewer where finding more would take too long. */
  find(text: string): Found[];
}

/** Makes a pattern of an expression. @throws PatternError */
export type PatternOf = (source: string, flags: string) => Pattern;

/** Says in a sentence for the reader what is wrong with an expression. */
export class PatternError extends Error {}

/** How many characters of a text are searched: a search of a megabyte for each entry would block the page. */
export const SEARCHED_CHARS = 20_000;
const MAX_MATCHES = 200;

export function head(text: string, length = SEARCHED_CHARS): string {
  return text.length > length ? text.slice(0, length) : text;
}

export function firstMatches(matches: Iterable<Found>): Found[] {
  const found: Found[] = [];
  for (const { start, end } of matches) {
    if (end > start) found.push({ start, end });
    if (found.length === MAX_MATCHES) break;
  }
  return found;
}

/** Matches of JavaScript's own engine, `pattern` with the flag g. */
export function* nativeMatches(pattern: RegExp, text: string): Generator<Found, void, undefined> {
  for (const { index, 0: match } of text.matchAll(pattern)) yield { start: index, end: index + match.length };
}

/** Finds a text literally, in upper or lower case. */
export function literalPattern(text: string): Pattern {
  const pattern = new RegExp(text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'gi');
  return {
    test: (line) => {
      pattern.lastIndex = 0;
      return pattern.test(head(line));
    },
    find: (line) => firstMatches(nativeMatches(pattern, head(line))),
  };
}
