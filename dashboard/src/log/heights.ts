// The heights of up to 2^17 items in lines, by slot of a ring. A Fenwick tree holds them, so that a change, a sum and a
// search each take 17 steps.

export class Heights {
  readonly #size: number;
  readonly #tree: Int32Array;
  readonly #values: Int32Array;
  total = 0;

  /** `size` is a power of two. */
  constructor(size: number) {
    this.#size = size;
    this.#tree = new Int32Array(size + 1);
    this.#values = new Int32Array(size);
  }

  get(slot: number): number {
    return this.#values[slot] ?? 0;
  }

  set(slot: number, lines: number): void {
    const delta = lines - this.get(slot);
    if (delta === 0) return;
    this.#values[slot] = lines;
    this.total += delta;
    for (let i = slot + 1; i <= this.#size; i += i & -i) this.#tree[i] = (this.#tree[i] ?? 0) + delta;
  }

  /** Lines in slots before `slot`. */
  before(slot: number): number {
    let sum = 0;
    for (let i = slot; i > 0; i -= i & -i) sum += this.#tree[i] ?? 0;
    return sum;
  }

  /** The slot that holds line `line` (0-based), counted from slot 0. */
  find(line: number): number {
    let slot = 0;
    let rest = line;
    for (let step = this.#size; step > 0; step >>= 1) {
      const next = slot + step;
      if (next <= this.#size && (this.#tree[next] ?? 0) <= rest) {
        slot = next;
        rest -= this.#tree[next] ?? 0;
      }
    }
    return Math.min(slot, this.#size - 1);
  }
}
