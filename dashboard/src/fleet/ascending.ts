// Numbers in ascending order: one more or one less costs a search and a short move, not a sort of all.
import { lowerBound } from '../stream/lower-bound.ts';

export class Ascending {
  readonly #values: number[] = [];

  get count(): number {
    return this.#values.length;
  }

  add(value: number): void {
    this.#values.splice(this.#placeOf(value), 0, value);
  }

  /** Takes out one that was added. */
  remove(value: number): void {
    this.#values.splice(this.#placeOf(value), 1);
  }

  quantile(share: number): number {
    return quantile(this.#values, share);
  }

  /** The first place whose value is not less. */
  #placeOf(value: number): number {
    return lowerBound(0, this.#values.length, (place) => (this.#values[place] as number) < value);
  }
}

/** By nearest rank: the least value that at least this share of the values does not exceed; NaN where there are none. */
export function quantile(ascending: ArrayLike<number>, share: number): number {
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? Number.NaN;
}
