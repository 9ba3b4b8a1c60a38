// The last rows of the view: a ring bounded by count and bytes. Rows have absolute places; the oldest are evicted.
import { GapRow, type Row } from './row.ts';

const SLOTS = 2 ** 17;
const MASK = SLOTS - 1;

export const MAX_ROWS = 100_000;
export const MAX_BYTES = 160 * 1024 * 1024;
/** Rows loaded on the reader's wish may stand beyond the ring's bound. */
const MAX_LOADED = 30_000;

export class LogBuffer {
  /** Place of the oldest row. */
  first = 0;
  /** Place after the newest row. */
  end = 0;
  bytes = 0;
  /** Entries among the rows. */
  entries = 0;
  /** Entries that were here and had to go. */
  evicted = 0;
  /** Stands before the oldest row where there was or may be more: evicted here, or never loaded. */
  head: GapRow | undefined;
  readonly #maxRows: number;
  readonly #maxBytes: number;
  #loaded = 0;
  #slots: (Row | undefined)[] = new Array(SLOTS);

  constructor(maxRows = MAX_ROWS, maxBytes = MAX_BYTES) {
    this.#maxRows = maxRows;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.end - this.first;
  }

  get(at: number): Row | undefined {
    return at >= this.first && at < this.end ? this.#slots[at & MASK] : undefined;
  }

  append(row: Row): void {
    row.at = this.end;
    this.#slots[this.end & MASK] = row;
    this.end++;
    this.#weigh(row, 1);
    while (this.size > this.#maxRows + this.#loaded || (this.bytes > this.#maxBytes && this.size > 1))
      this.#evict();
  }

  /** How many rows may still be put in between. */
  get room(): number {
    return Math.max(0, Math.min(MAX_LOADED - this.#loaded, SLOTS - this.size - 1));
  }

  /**
   * Puts rows before the one at `at`; what stands behind moves back and is renumbered. Gives those that were put in:
   * where there is no room for all, the last ones.
   */
  insert(at: number, rows: readonly Row[]): readonly Row[] {
    const taken = rows.slice(Math.max(0, rows.length - this.room));
    this.#loaded += taken.length;
    const shift = taken.length;
    for (let i = this.end - 1; i >= at; i--) {
      const row = this.#slots[i & MASK];
      this.#slots[(i + shift) & MASK] = row;
      if (row) row.at = i + shift;
    }
    for (const [i, row] of taken.entries()) {
      row.at = at + i;
      this.#slots[row.at & MASK] = row;
      this.#weigh(row, 1);
    }
    this.end += shift;
    return taken;
  }

  remove(at: number): void {
    const gone = this.get(at);
    if (!gone) return;
    this.#weigh(gone, -1);
    for (let i = at; i < this.end - 1; i++) {
      const row = this.#slots[(i + 1) & MASK];
      this.#slots[i & MASK] = row;
      if (row) row.at = i;
    }
    this.end--;
    this.#slots[this.end & MASK] = undefined;
  }

  /** Says that the log may hold entries before the oldest one here. */
  expectEarlier(): void {
    this.head ??= headRow('earlier');
  }

  /** Id of the oldest entry here that has one. */
  get oldestId(): string | undefined {
    for (let at = this.first; at < this.end; at++) {
      const row = this.get(at);
      if (row?.kind === 'entry' && row.id !== undefined) return row.id;
    }
    return undefined;
  }

  clear(): void {
    this.#slots = new Array(SLOTS);
    this.first = this.end;
    this.bytes = 0;
    this.entries = 0;
    this.evicted = 0;
    this.head = undefined;
    this.#loaded = 0;
  }

  /** Counts a row that came (1) or went (−1). */
  #weigh(row: Row, sign: number): void {
    this.bytes += sign * row.bytes;
    if (row.kind === 'entry') this.entries += sign;
  }

  #evict(): void {
    const slot = this.first & MASK;
    const row = this.#slots[slot];
    this.#slots[slot] = undefined;
    this.first++;
    if (!row) return;
    this.#weigh(row, -1);
    if (row.kind !== 'entry') return;
    this.evicted++;
    if (this.head?.reason !== 'evicted') this.head = headRow('evicted');
    this.head.missed = this.evicted;
  }
}

function headRow(reason: 'evicted' | 'earlier'): GapRow {
  return new GapRow({ reason, channel: null, after: undefined, before: undefined, missed: null });
}
