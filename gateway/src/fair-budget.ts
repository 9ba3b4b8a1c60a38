// A bounded amount of something that clients share: each may hold half of what the others leave. So the first who comes may hold half of
// all, and however much a few hold, there is a part for the next one.

export class FairBudget {
  readonly #max: number;
  /** Who holds nothing is not in here. */
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(max: number) {
    this.#max = max;
  }

  fits(who: string, amount: number): boolean {
    const held = this.#held.get(who) ?? 0;
    const left = this.#max - (this.#total - held);
    return held + amount <= left / 2;
  }

  /** Takes it whether it fits or not. */
  take(who: string, amount: number): void {
    this.#held.set(who, (this.#held.get(who) ?? 0) + amount);
    this.#total += amount;
  }

  give(who: string, amount: number): void {
    const left = (this.#held.get(who) ?? 0) - amount;
    if (left > 0) this.#held.set(who, left);
    else this.#held.delete(who);
    this.#total -= amount;
  }
}
