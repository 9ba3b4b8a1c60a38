// Some rows of the buffer in its order. How many stand behind a place, and which is the next, takes a binary search, however many there are.
import type { EntryRow } from '../stream/row.ts';

export class PlacedRows {
  #rows: EntryRow[] = [];
  /** The rows before this index were evicted from the buffer. */
  #first = 0;

  /** `row` stands behind all rows that are here. */
  add(row: EntryRow): void {
    this.#rows.push(row);
  }

  /** Forgets the rows before the place `at` of the buffer. */
  evict(at: number): void {
    this.#first = this.#indexOf(at);
    if (this.#first < 1_000 || this.#first * 2 < this.#rows.length) return;
    this.#rows = this.#rows.slice(this.#first);
    this.#first = 0;
  }

  clear(): void {
    this.#rows = [];
    this.#first = 0;
  }

  /** How many stand at the place `at` or behind it. */
  countFrom(at: number): number {
    return this.#rows.length - this.#indexOf(at);
  }

  /** The first at the place `at` or behind it. */
  next(at: number): EntryRow | undefined {
    return this.#rows[this.#indexOf(at)];
  }

  /** The last before the place `at`. */
  previous(at: number): EntryRow | undefined {
    const index = this.#indexOf(at) - 1;
    return index < this.#first ? undefined : this.#rows[index];
  }

  #indexOf(at: number): number {
    let low = this.#first;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#rows[middle]?.at ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
