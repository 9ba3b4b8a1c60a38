// A regular expression of the reader. It matches what JavaScript's engine matches and takes a few milliseconds per text
// at most, because a link may contain any expression: where JavaScript's engine could take longer, our own bounded one
// is used.

import { longestWithin } from './cost.ts';
import { Matcher } from './matcher.ts';
import { type Found, firstMatches, head, nativeMatches, type Pattern, SEARCHED_CHARS } from './pattern.ts';
import { compile } from './program.ts';
import { parse } from './syntax.ts';

/** Steps that JavaScript's engine may take for one text; a step takes a few nanoseconds. */
const NATIVE_STEPS = 1_000_000;
/**
 * Steps that our engine may take for one text: states × characters. A large expression searches less of a text for it.
 */
const STEPS = 1_000_000;
/** The same for highlighting, which searches a screen full of texts at once. */
const FIND_STEPS = 100_000;

/** @throws PatternError, with a sentence for the reader */
export function boundedPattern(source: string, flags: string): Pattern {
  const expression = parse(source, flags);
  const native = new RegExp(source, `${flags}g`);
  const nativeLength = longestWithin(expression, NATIVE_STEPS, SEARCHED_CHARS);
  const isCheap = nativeLength === SEARCHED_CHARS;
  return new Bounded(
    native,
    nativeLength,
    isCheap ? undefined : new Matcher(compile(expression), /[uv]/.test(flags)),
  );
}

class Bounded implements Pattern {
  readonly #native: RegExp;
  /** The longest text that JavaScript's engine searches. */
  readonly #nativeLength: number;
  readonly #matcher: Matcher | undefined;
  readonly #length: number;

  constructor(native: RegExp, nativeLength: number, matcher: Matcher | undefined) {
    this.#native = native;
    this.#nativeLength = nativeLength;
    this.#matcher = matcher;
    this.#length = matcher ? Math.min(SEARCHED_CHARS, Math.floor(STEPS / matcher.size)) : SEARCHED_CHARS;
  }

  test(text: string): boolean {
    const searched = head(text, this.#length);
    if (this.#matcher && searched.length > this.#nativeLength) return this.#matcher.test(searched);
    this.#native.lastIndex = 0;
    return this.#native.test(searched);
  }

  find(text: string): Found[] {
    const searched = head(text, this.#length);
    return firstMatches(
      this.#matcher && searched.length > this.#nativeLength
        ? this.#matcher.matches(searched, FIND_STEPS / this.#matcher.size)
        : nativeMatches(this.#native, searched),
    );
  }
}
