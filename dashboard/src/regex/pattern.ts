// What a reader looks for in texts. The engine for regular expressions (bounded.ts) is loaded when the first one is asked
// for; plain text needs no more than this.

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

/** What is wrong with an expression, in words for the reader. */
export class PatternError extends Error {}

/** What of a text is looked at: a megabyte for each entry would hold the page. */
export const REACH = 20_000;
const MAX_MATCHES = 200;

export function head(text: string, reach = REACH): string {
  return text.length > reach ? text.slice(0, reach) : text;
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

/** Text as it is, whatever its case. */
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
