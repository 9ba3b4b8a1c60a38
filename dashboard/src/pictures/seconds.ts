// Numbers by second, of the latest seconds. A second that nothing was written for is NaN, not zero: whoever reads decides which it is.

export class Seconds {
  readonly #slots: Float32Array;
  #newest = Number.NEGATIVE_INFINITY;

  constructor(length: number) {
    this.#slots = new Float32Array(length).fill(Number.NaN);
  }

  get(second: number): number {
    return this.#holds(second) ? (this.#slots[second % this.#slots.length] as number) : Number.NaN;
  }

  set(second: number, value: number): void {
    this.#advance(second);
    if (this.#holds(second)) this.#slots[second % this.#slots.length] = value;
  }

  add(second: number, value: number): void {
    this.set(second, (this.get(second) || 0) + value);
  }

  /** The sum of the seconds after `from` and up to `to`. */
  sum(from: number, to: number): number {
    let sum = 0;
    for (let second = from + 1; second <= to; second++) sum += this.get(second) || 0;
    return sum;
  }

  /** The mean of those seconds after `from` and up to `to` for which something was written; NaN where there are none. */
  mean(from: number, to: number): number {
    let sum = 0;
    let count = 0;
    for (let second = from + 1; second <= to; second++) {
      const value = this.get(second);
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    return sum / count;
  }

  #holds(second: number): boolean {
    return second >= 0 && second <= this.#newest && second > this.#newest - this.#slots.length;
  }

  #advance(second: number): void {
    if (second <= this.#newest) return;
    const { length } = this.#slots;
    for (let s = Math.max(this.#newest + 1, second - length + 1); s <= second; s++)
      if (s >= 0) this.#slots[s % length] = Number.NaN;
    this.#newest = second;
  }
}
