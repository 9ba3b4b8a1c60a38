// How many different patterns the viewers of this process may ask for together. Redis compares every message on any channel
// with each of them, and this process every new channel: both would stand still.

import { matchingCost } from '@llm-streamer/shared/channels.ts';

/** Of short patterns that ask for a beginning 5000, of others 500. A message costs Redis about 1 ms then, 5 at the worst. */
export const MAX_MATCHING_COST = 5_000;

export class PatternBudget {
  /** How often each pattern is asked for. */
  readonly #uses = new Map<string, number>();
  #cost = 0;

  fits(patterns: readonly string[]): boolean {
    const fresh = patterns.filter((pattern) => !this.#uses.has(pattern));
    return this.#cost + costOf(fresh) <= MAX_MATCHING_COST;
  }

  add(patterns: readonly string[]): void {
    for (const pattern of patterns.filter(matchingCost)) {
      const uses = this.#uses.get(pattern) ?? 0;
      if (uses === 0) this.#cost += matchingCost(pattern);
      this.#uses.set(pattern, uses + 1);
    }
  }

  remove(patterns: readonly string[]): void {
    for (const pattern of patterns.filter(matchingCost)) {
      const uses = (this.#uses.get(pattern) ?? 0) - 1;
      if (uses > 0) {
        this.#uses.set(pattern, uses);
        continue;
      }
      this.#uses.delete(pattern);
      this.#cost -= matchingCost(pattern);
    }
  }
}

function costOf(patterns: readonly string[]): number {
  return patterns.reduce((sum, pattern) => sum + matchingCost(pattern), 0);
}
