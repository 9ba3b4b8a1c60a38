// The places for runs of one gateway: no more than there are, and no sharer has more than half of them. A place is taken before anything is
// awaited: of a hundred requests at once, all would find the same place free.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { FairBudget } from '../fair-budget.ts';

export class RunPlaces {
  readonly #max: number;
  readonly #shares: FairBudget;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
    this.#shares = new FairBudget(Math.max(2, max)); // half of one place would be none
  }

  /**
   * Returns what gives the place back.
   * @throws CodedError `too_many_runs`
   */
  take(sharer: string): () => void {
    if (this.#taken >= this.#max || !this.#shares.fits(sharer, 1))
      throw new CodedError('too_many_runs', 'this gateway runs as many as it may; try again in a moment');
    this.#taken++;
    this.#shares.take(sharer, 1);
    return () => {
      this.#taken--;
      this.#shares.give(sharer, 1);
    };
  }
}
