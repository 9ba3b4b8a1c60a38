// Patterns as sets of channels: which set lies within another, and what two sets have in common. A reserved channel is in a set only
// if its pattern begins with the reserved prefix, so `*` and `runs:*` have nothing in common. Patterns come from strangers, so all
// that is done with two lists of them is charged to one budget of steps, before it is done.

import { globMatcher, isExact, reservedPrefix } from './channels.ts';
import { CodedError } from './errors.ts';

/** What two patterns have in common may take this many patterns; each star of one may fall before or after each of the other. */
const MAX_COMMON = 100;
/** No channel is longer, so a pattern with more letters matches none. */
const MAX_LETTERS = 200;

// What is done costs so many steps. A step is ten to twenty nanoseconds.
const TAKE_APART_STEPS = 50;
/** Of comparing two patterns; where a part between two stars must be searched for, each letter is one more. */
const COMPARE_STEPS = 3;
/** Of each pair of places in two patterns. */
const TABLE_STEPS = 3;
/** Of each letter that may be read on a way. */
const READ_STEPS = 5;

/** What is common to sets of channels can be said only with more patterns than may be used, or with more work. */
export class TooManyPatterns extends CodedError {
  constructor() {
    super('too_many_patterns', 'what is asked for and what is allowed have too much in common to be named');
    this.name = 'TooManyPatterns';
  }
}

/**
 * For one request: at most about five milliseconds, the most that it holds up others. A hundred usual patterns and a hundred grants
 * take 100,000; lists that take more than this were made to take long.
 */
const REQUEST_STEPS = 300_000;

/** Is told how many steps will be taken, before they are. It throws TooManyPatterns if they are too many. */
export type Spend = (steps: number) => void;

/** Shares a number of steps, among everything that is compared for one purpose. */
export function stepBudget(steps = REQUEST_STEPS): Spend {
  let left = steps;
  return (more) => {
    left -= more;
    if (left < 0) throw new TooManyPatterns();
  };
}

/** A pattern, taken apart once for all that it is compared with. */
export class ChannelSet {
  readonly pattern: string;
  readonly prefix: string | undefined;
  readonly #searches: boolean;
  readonly #head: string;
  readonly #tail: string;
  readonly #matches: (text: string) => boolean;

  constructor(pattern: string) {
    this.pattern = withSingleStars(pattern);
    this.prefix = reservedPrefix(this.pattern);
    const parts = this.pattern.split('*');
    this.#searches = parts.length > 2;
    this.#head = parts[0] as string;
    this.#tail = parts.at(-1) as string;
    this.#matches = globMatcher(this.pattern);
  }

  /** What it costs to ask whether this set covers `other`. */
  costOf(other: ChannelSet): number {
    return COMPARE_STEPS + (this.#searches ? other.pattern.length : 0);
  }

  /** Whether every channel of `narrow` is in this set, too; false where that is not certain. */
  covers(narrow: ChannelSet): boolean {
    // A star of `narrow` counts as a letter that no channel has: only a star of this pattern can match it.
    return this.prefix === narrow.prefix && this.#matches(narrow.pattern);
  }

  /** False if a channel cannot begin, or cannot end, as both patterns say. */
  canMeet(other: ChannelSet): boolean {
    if (this.prefix !== other.prefix) return false;
    const [headA, headB, tailA, tailB] = [this.#head, other.#head, this.#tail, other.#tail];
    return (
      (headA.startsWith(headB) || headB.startsWith(headA)) && (tailA.endsWith(tailB) || tailB.endsWith(tailA))
    );
  }
}

export function channelSets(patterns: Iterable<string>, spend: Spend): ChannelSet[] {
  return Array.from(patterns, (pattern) => {
    spend(TAKE_APART_STEPS);
    return new ChannelSet(pattern);
  });
}

/** Whether one of `wide` covers `narrow`. */
export function isCovered(narrow: ChannelSet, wide: readonly ChannelSet[], spend: Spend): boolean {
  return wide.some((one) => {
    spend(one.costOf(narrow));
    return one.covers(narrow);
  });
}

/** The sorted patterns, without those that another one covers. */
export function withoutCovered(patterns: Iterable<string>, spend: Spend): string[] {
  const all = channelSets([...new Set(patterns)].sort(), spend);
  const isNeeded = (one: ChannelSet) =>
    !all.some((other) => {
      spend(other.costOf(one));
      return other !== one && other.covers(one);
    });
  return all.filter(isNeeded).map(({ pattern }) => pattern);
}

/**
 * Patterns that together match exactly the channels that both sets hold; none if there is no such channel. So `logs:*` and
 * `*:errors` have `logs:errors` and `logs:*:errors` in common.
 *
 * @throws TooManyPatterns
 */
export function intersect(one: ChannelSet, other: ChannelSet, spend: Spend): string[] {
  spend(COMPARE_STEPS);
  if (!one.canMeet(other)) return [];
  spend(one.costOf(other) + other.costOf(one));
  if (one.covers(other)) return [other.pattern];
  if (other.covers(one)) return [one.pattern];
  if (isExact(one.pattern) || isExact(other.pattern)) return [];
  const ways = new SharedReadings(one.pattern, other.pattern, spend);
  // `r*` and `*uns:x` meet in `runs:x`, which neither of them matches.
  const found = ways.all(spend).filter((pattern) => reservedPrefix(pattern) === one.prefix);
  return withoutCovered(
    found.filter((pattern) => pattern.replaceAll('*', '').length <= MAX_LETTERS),
    spend,
  );
}

/**
 * Patterns that together match what both lists match. Some of them may be covered by others.
 *
 * @throws TooManyPatterns beyond `most` patterns, or if `spend` throws it
 */
export function inCommon(
  some: readonly ChannelSet[],
  others: readonly ChannelSet[],
  most: number,
  spend: Spend,
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

/**
 * The ways to read two patterns side by side, from their beginnings to their ends. A step takes a letter that both have; or a letter
 * of one, while a star of the other goes on; or the end of a star. What is read on a way is a pattern that both cover.
 */
class SharedReadings {
  readonly #a: string;
  readonly #b: string;
  readonly #width: number;
  /** For each pair of places, the number of ways from there to the end; one more than MAX_COMMON stands for all larger numbers. */
  readonly #counts: Uint8Array;

  constructor(a: string, b: string, spend: Spend) {
    this.#a = a;
    this.#b = b;
    this.#width = b.length + 1;
    const places = (a.length + 1) * this.#width;
    spend(places * TABLE_STEPS);
    this.#counts = new Uint8Array(places);
    for (let i = a.length; i >= 0; i--)
      for (let j = b.length; j >= 0; j--) this.#counts[i * this.#width + j] = this.#countFrom(i, j);
  }

  #countFrom(i: number, j: number): number {
    if (i === this.#a.length && j === this.#b.length) return 1;
    let count = 0;
    this.#eachStep(i, j, (_read, nextI, nextJ) => {
      count += this.#counts[nextI * this.#width + nextJ] ?? 0;
    });
    return Math.min(count, MAX_COMMON + 1);
  }

  /** What is read on each way. @throws TooManyPatterns if there are too many */
  all(spend: Spend): string[] {
    const count = this.#counts[0] ?? 0;
    if (count > MAX_COMMON) throw new TooManyPatterns();
    spend(count * (this.#a.length + this.#b.length) * READ_STEPS);
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
