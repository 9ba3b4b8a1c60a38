// Makes a pattern of a reader's regular expression. The pattern finds what JavaScript's own engine would find, within the
// bounds of bounds.ts, because a link may bring any expression. JavaScript's engine is used where it cannot exceed these
// bounds; otherwise a slower engine is used, whose time is bounded (matcher.ts).

import { ASK_STEPS, FIND_STEPS, REACH, ROW_STEPS } from './bounds.ts';
import { isQuickToCompile, longestWithin } from './cost.ts';
import { Matcher } from './matcher.ts';
import {
  type Budget,
  type Found,
  firstMatches,
  head,
  nativeMatches,
  type Pattern,
  rowBudget,
} from './pattern.ts';
import { compile, type Machine } from './program.ts';
import { parse } from './syntax.ts';

const ASCII = /^[\0-\x7f]*$/;

/** @throws PatternError, with words for the reader */
export function boundedPattern(source: string, flags: string): Pattern {
  const expression = parse(source, flags);
  const machine = compile(expression);
  const native = isQuickToCompile(expression)
    ? longestWithin(expression, ROW_STEPS, REACH)
    : { length: -1, price: 0 };
  // JavaScript's engine compiles an expression only when it is first used.
  return new Bounded(new RegExp(source, `${flags}g`), native, machine, /[uv]/.test(flags));
}

class Bounded implements Pattern {
  readonly #native: RegExp;
  /** The longest text that JavaScript's engine is given, and the most steps that it takes for each position of such a text. */
  readonly #nativeLimit: { length: number; price: number };
  readonly #machine: Machine;
  readonly #matcher: Matcher;

  constructor(
    native: RegExp,
    nativeLimit: { length: number; price: number },
    machine: Machine,
    unicode: boolean,
  ) {
    this.#native = native;
    this.#nativeLimit = nativeLimit;
    this.#machine = machine;
    this.#matcher = new Matcher(machine, unicode);
  }

  test(text: string, budget: Budget = rowBudget()): boolean {
    const seen = head(text);
    const price = this.#price(seen);
    const limit = Math.min(seen.length, Math.floor(budget.steps / price) - 1);
    if (limit < 0) return false;
    budget.steps -= (limit + 1) * price;
    if (!this.#isForNative(seen)) return this.#matcher.test(seen, limit);
    this.#native.lastIndex = 0;
    return this.#native.test(head(seen, limit));
  }

  find(text: string): Found[] {
    const seen = head(text);
    const positions = Math.floor(FIND_STEPS / this.#price(seen));
    // Half of the positions are for one pass over the text, and half for positions that have to be looked at again.
    const limit = Math.min(seen.length, Math.floor(positions / 2) - 1);
    return firstMatches(
      this.#isForNative(seen)
        ? nativeMatches(this.#native, head(seen, limit))
        : this.#matcher.matches(seen, limit, positions - (limit + 1)),
    );
  }

  #isForNative(text: string): boolean {
    return text.length <= this.#nativeLimit.length;
  }

  /** The most steps that a position of this text takes. */
  #price(text: string): number {
    if (this.#isForNative(text)) return this.#nativeLimit.price;
    const { size, asking } = this.#machine;
    return asking === 0 || ASCII.test(text) ? size : size + asking * ASK_STEPS;
  }
}
