// Some rows of the buffer in its order. How many stand behind a place, and which is the next, takes a binary search, however many there are.
import { lowerBound } from '../stream/lower-bound.ts';
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

  /** How many stand at the place `at` or after it. */
  countFrom(at: number): number {
    return this.#rows.length - this.#indexOf(at);
  }

  /** The first at the place `at` or after it. */
  next(at: number): EntryRow | undefined {
    return this.#rows[this.#indexOf(at)];
  }

  /** The last before the place `at`. */
  previous(at: number): EntryRow | undefined {
    const index = this.#indexOf(at) - 1;
    return index < this.#first ? undefined : this.#rows[index];
  }

  #indexOf(at: number): number {
    return lowerBound(this.#first, this.#rows.length, (index) => (this.#rows[index]?.at ?? 0) < at);
  }
}
