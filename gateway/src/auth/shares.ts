// How much each has had of something in one second: each may have a few, and of what is more, the number is kept.

export class Shares {
  readonly #each: number;
  readonly #max: number;
  readonly #taken = new Map<string, number>();
  #strangers = 0;
  #others = 0;

  /** @param max how many strangers have a share of their own; those who come later share one number. */
  constructor(each: number, max: number) {
    this.#each = each;
    this.#max = max;
  }

  /** Counts one of `who`. Returns whether it is within his share. Those who are known have one in any case. */
  take(who: string, isKnown = false): boolean {
    const taken = this.#taken.get(who);
    if (taken === undefined && !isKnown && ++this.#strangers > this.#max) {
      this.#others++;
      return false;
    }
    this.#taken.set(who, (taken ?? 0) + 1);
    return (taken ?? 0) < this.#each;
  }

  /** Ends the second: who had more than his share, and how much more. */
  end(): [who: string, count: number][] {
    const over = [...this.#taken].filter(([, taken]) => taken > this.#each);
    const told = over.map(([who, taken]): [string, number] => [who, taken - this.#each]);
    if (this.#others > 0) told.push(['others', this.#others]);
    this.#taken.clear();
    this.#strangers = 0;
    this.#others = 0;
    return told;
  }
}
