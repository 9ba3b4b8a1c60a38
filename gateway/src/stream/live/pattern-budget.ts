// How many different patterns the viewers of this process may ask for together. Redis compares every message on any channel
// with each pattern, and this process every new channel, so that too many patterns would stop both.

import { matchingCost } from '@llm-streamer/shared/channels.ts';

/**
 * Enough for 5,000 short patterns with a star at their end (`logs:*`), or 500 others (`*:gpu`). With so many, a message costs
 * Redis about 1 ms, and 5 ms at worst.
 */
const MAX_MATCHING_COST = 5_000;

export class PatternBudget {
  /** How many subscriptions ask for each pattern. */
  readonly #uses = new Map<string, number>();
  #cost = 0;

  fits(patterns: readonly string[]): boolean {
    const fresh = patterns.filter((pattern) => !this.#uses.has(pattern));
    return this.#cost + costOf(fresh) <= MAX_MATCHING_COST;
  }

  addPatterns(patterns: readonly string[]): void {
    for (const pattern of patterns.filter(matchingCost)) {
      const uses = this.#uses.get(pattern) ?? 0;
      if (uses === 0) this.#cost += matchingCost(pattern);
      this.#uses.set(pattern, uses + 1);
    }
  }

  removePatterns(patterns: readonly string[]): void {
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
