// How many different patterns the viewers of this process may ask for together. Redis compares every message on any channel
// with each pattern, and this process every new channel, so that too many patterns would stop both. A pattern is paid for by
// who asked for it first, as long as anybody does.

import { matchingCost } from '@llm-streamer/shared/channels.ts';
import { FairBudget } from '../../fair-budget.ts';

/**
 * Enough for 5,000 short patterns with a star at their end (`logs:*`), or 500 others (`*:gpu`), of which one viewer can ask for half.
 * With so many, a message costs Redis about 1 ms, and 5 ms at worst.
 */
const MAX_MATCHING_COST = 5_000;

export class PatternBudget {
  /** How many subscriptions ask for each pattern, and who pays for it. */
  readonly #uses = new Map<string, { count: number; payer: string }>();
  readonly #budget = new FairBudget(MAX_MATCHING_COST);

  fits(patterns: readonly string[], who: string): boolean {
    const fresh = patterns.filter((pattern) => !this.#uses.has(pattern));
    const cost = fresh.reduce((sum, pattern) => sum + matchingCost(pattern), 0);
    return cost === 0 || this.#budget.fits(who, cost);
  }

  addPatterns(patterns: readonly string[], who: string): void {
    for (const pattern of patterns.filter(matchingCost)) {
      const use = this.#uses.get(pattern);
      if (use) {
        use.count++;
        continue;
      }
      this.#uses.set(pattern, { count: 1, payer: who });
      this.#budget.take(who, matchingCost(pattern));
    }
  }

  removePatterns(patterns: readonly string[]): void {
    for (const pattern of patterns.filter(matchingCost)) {
      const use = this.#uses.get(pattern);
      if (!use || --use.count > 0) continue;
      this.#uses.delete(pattern);
      this.#budget.give(use.payer, matchingCost(pattern));
    }
  }
}
