// What a reader looks for in texts. The engine for regular expressions (bounded.ts) is loaded when the first one is asked
// for; plain text needs no more than this.

import { MAX_FOUND, MAX_LOOKED_AT, REACH, ROW_STEPS } from './bounds.ts';

export interface Found {
  start: number;
  end: number;
}

/** Steps that are left for several texts together, such as the thousand attributes of one row. */
export interface Budget {
  steps: number;
}

export interface Pattern {
  /** Texts that share a budget are looked at until the budget is spent. The rest of the texts counts as not matching. */
  test(text: string, budget?: Budget): boolean;
  /** The first matches that are not empty, from left to right; fewer where finding more would take too long. */
  find(text: string): Found[];
}

/** Makes a pattern of an expression. @throws PatternError */
export type PatternOf = (source: string, flags: string) => Pattern;

/** What is wrong with an expression, in words for the reader. */
export class PatternError extends Error {}

export function rowBudget(): Budget {
  return { steps: ROW_STEPS };
}

export function head(text: string, length = REACH): string {
  return text.length > length ? text.slice(0, length) : text;
}

export function firstMatches(matches: Iterable<Found>): Found[] {
  const found: Found[] = [];
  let lookedAt = 0;
  for (const { start, end } of matches) {
    if (end > start) found.push({ start, end });
    if (found.length === MAX_FOUND || ++lookedAt === MAX_LOOKED_AT) break;
  }
  return found;
}

/** Matches of JavaScript's own engine, `pattern` with the flag g. */
export function* nativeMatches(pattern: RegExp, text: string): Generator<Found, void, undefined> {
  pattern.lastIndex = 0; // a test before may have left it behind its match
  for (const { index, 0: match } of text.matchAll(pattern)) yield { start: index, end: index + match.length };
}

/** Finds a plain text, whatever the case of its letters. */
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
