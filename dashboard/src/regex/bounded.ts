// A reader's expression: matches as JavaScript's own would, and holds the page at most for some milliseconds a text, since
// a link may bring any. Where JavaScript's engine could take longer, one whose time is bounded takes over.

import { longestWithin } from './cost.ts';
import { Matcher } from './matcher.ts';
import { type Found, firstMatches, head, nativeMatches, type Pattern, REACH } from './pattern.ts';
import { compile } from './program.ts';
import { parse } from './syntax.ts';

/** Steps of JavaScript's engine for one text, a few nanoseconds each. */
const NATIVE_STEPS = 1_000_000;
/** States × characters of ours for one text. Of a large expression that is less than REACH. */
const STEPS = 1_000_000;
/** The same to find what to highlight: a screen full of texts is looked through at once. */
const FIND_STEPS = 100_000;

/** @throws PatternError, with words for the reader */
export function boundedPattern(source: string, flags: string): Pattern {
  const expression = parse(source, flags);
  const native = new RegExp(source, `${flags}g`);
  const nativeReach = longestWithin(expression, NATIVE_STEPS, REACH);
  const isCheap = nativeReach === REACH;
  return new Bounded(
    native,
    nativeReach,
    isCheap ? undefined : new Matcher(compile(expression), /[uv]/.test(flags)),
  );
}

class Bounded implements Pattern {
  readonly #native: RegExp;
  /** The longest text that JavaScript's engine gets. */
  readonly #nativeReach: number;
  readonly #matcher: Matcher | undefined;
  readonly #reach: number;

  constructor(native: RegExp, nativeReach: number, matcher: Matcher | undefined) {
    this.#native = native;
    this.#nativeReach = nativeReach;
    this.#matcher = matcher;
    this.#reach = matcher ? Math.min(REACH, Math.floor(STEPS / matcher.size)) : REACH;
  }

  test(text: string): boolean {
    const seen = head(text, this.#reach);
    if (this.#matcher && seen.length > this.#nativeReach) return this.#matcher.test(seen);
    this.#native.lastIndex = 0;
    return this.#native.test(seen);
  }

  find(text: string): Found[] {
    const seen = head(text, this.#reach);
    return firstMatches(
      this.#matcher && seen.length > this.#nativeReach
        ? this.#matcher.matches(seen, FIND_STEPS / this.#matcher.size)
        : nativeMatches(this.#native, seen),
    );
  }
}
