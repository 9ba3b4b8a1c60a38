// Patterns as sets of channels: which set lies within another, and what two sets have in common. A reserved channel is in a set only
// if its pattern begins with the reserved prefix, so `*` and `runs:*` have nothing in common. The cost of a comparison is
// bounded, since patterns come from strangers.

import { globMatcher, isExact, reservedPrefix } from './channels.ts';
import { CodedError } from './errors.ts';

/** What two patterns have in common may take this many patterns; each star of one may fall before or after each of the other. */
const MAX_COMMON = 100;
/** No channel is longer, so a pattern with more letters matches none. */
const MAX_LETTERS = 200;

/** What is common to sets of channels can be said only with more patterns than may be used. */
export class TooManyPatterns extends CodedError {
  constructor() {
    super('too_many_patterns', 'what is asked for and what is allowed have too much in common to be named');
    this.name = 'TooManyPatterns';
  }
}

/** Whether every channel that `narrow` matches is also matched by `wide`; false where that is not certain. */
export function covers(wide: string, narrow: string): boolean {
  // A star of `narrow` counts as a letter that no channel has: only a star of `wide` can match it.
  return reservedPrefix(wide) === reservedPrefix(narrow) && globMatcher(wide)(narrow);
}

/** The sorted patterns, without those that another one covers. */
export function withoutCovered(patterns: Iterable<string>): string[] {
  const all = [...new Set(patterns)].sort();
  const sets = all.map((pattern) => ({
    pattern,
    prefix: reservedPrefix(pattern),
    has: globMatcher(pattern),
  }));
  return all.filter((pattern) => {
    const prefix = reservedPrefix(pattern);
    return !sets.some((wide) => wide.pattern !== pattern && wide.prefix === prefix && wide.has(pattern));
  });
}

/**
 * Patterns that together match exactly the channels that both `a` and `b` match; none if there is no such channel. So `logs:*` and
 * `*:errors` have `logs:errors` and `logs:*:errors` in common.
 *
 * @param spend is told how many steps a comparison will take, before it begins, and may throw.
 * @throws TooManyPatterns
 */
export function intersect(a: string, b: string, spend: (steps: number) => void = () => {}): string[] {
  const [one, other] = [withSingleStars(a), withSingleStars(b)];
  const prefix = reservedPrefix(one);
  if (prefix !== reservedPrefix(other)) return [];
  if (covers(one, other)) return [other];
  if (covers(other, one)) return [one];
  if (isExact(one) || isExact(other) || !canMeet(one, other)) return [];
  spend((one.length + 1) * (other.length + 1));
  const ways = new Ways(one, other);
  if (ways.count > MAX_COMMON) throw new TooManyPatterns();
  // `r*` and `*uns:x` meet in `runs:x`, which neither of them matches.
  const found = ways.all().filter((pattern) => reservedPrefix(pattern) === prefix);
  return withoutCovered(found.filter((pattern) => pattern.replaceAll('*', '').length <= MAX_LETTERS));
}

/** Shares a number of steps among comparisons: tell it how many each will take. What it returns throws TooManyPatterns beyond them. */
export function stepBudget(steps: number): (more: number) => void {
  let left = steps;
  return (more) => {
    left -= more;
    if (left < 0) throw new TooManyPatterns();
  };
}

/**
 * Patterns that together match what both lists match. Some of them may be covered by others.
 *
 * @throws TooManyPatterns beyond `most` patterns, or if `spend` throws it
 */
export function inCommon(
  some: readonly string[],
  others: readonly string[],
  most: number,
  spend: (steps: number) => void,
): Set<string> {
  const found = new Set<string>();
  for (const one of some)
    for (const other of others) {
      for (const pattern of intersect(one, other, spend)) found.add(pattern);
      if (found.size > most) throw new TooManyPatterns();
    }
  return found;
}

function withSingleStars(pattern: string): string {
  return pattern.replaceAll(/\*+/g, '*');
}

/** False if a channel cannot begin, or cannot end, as both patterns say. */
function canMeet(a: string, b: string): boolean {
  const [headA, headB] = [a.slice(0, a.indexOf('*')), b.slice(0, b.indexOf('*'))];
  const [tailA, tailB] = [a.slice(a.lastIndexOf('*') + 1), b.slice(b.lastIndexOf('*') + 1)];
  return (
    (headA.startsWith(headB) || headB.startsWith(headA)) && (tailA.endsWith(tailB) || tailB.endsWith(tailA))
  );
}

/**
 * The ways to read two patterns side by side, from their beginnings to their ends. A step takes a letter that both have; or a letter
 * of one, while a star of the other goes on; or the end of a star. What is read on a way is a pattern that both cover.
 */
class Ways {
  readonly #a: string;
  readonly #b: string;
  readonly #width: number;
  /** For each pair of places, the number of ways from there to the end; one more than MAX_COMMON stands for all larger numbers. */
  readonly #counts: Uint8Array;

  constructor(a: string, b: string) {
    this.#a = a;
    this.#b = b;
    this.#width = b.length + 1;
    this.#counts = new Uint8Array((a.length + 1) * this.#width);
    for (let i = a.length; i >= 0; i--)
      for (let j = b.length; j >= 0; j--) this.#counts[i * this.#width + j] = this.#countFrom(i, j);
  }

  get count(): number {
    return this.#counts[0] ?? 0;
  }

  #countFrom(i: number, j: number): number {
    if (i === this.#a.length && j === this.#b.length) return 1;
    let count = 0;
    this.#eachStep(i, j, (_read, nextI, nextJ) => {
      count += this.#counts[nextI * this.#width + nextJ] ?? 0;
    });
    return Math.min(count, MAX_COMMON + 1);
  }

  /** What is read on each way. Call it only if there are few. */
  all(): string[] {
    const found: string[] = [];
    const walk = (i: number, j: number, read: string) => {
      if (this.#counts[i * this.#width + j] === 0) return;
      if (i === this.#a.length && j === this.#b.length) found.push(withSingleStars(read));
      else this.#eachStep(i, j, (more, nextI, nextJ) => walk(nextI, nextJ, read + more));
    };
    walk(0, 0, '');
    return found;
  }

  #eachStep(i: number, j: number, step: (read: string, nextI: number, nextJ: number) => void): void {
    const [a, b] = [this.#a[i], this.#b[j]];
    if (a === '*' && b === '*') {
      // What the first star matches is longer, or else the second one goes on and takes the next letter. Without that letter, the
      // way on which both end here would be counted twice.
      step('*', i, j + 1);
      const next = this.#a[i + 1];
      if (next !== undefined) step(`*${next}`, i + 2, j);
    } else if (a === '*') {
      step('', i + 1, j);
      if (b !== undefined) step(b, i, j + 1);
    } else if (b === '*') {
      step('', i, j + 1);
      if (a !== undefined) step(a, i + 1, j);
    } else if (a !== undefined && a === b) step(a, i + 1, j + 1);
  }
}
