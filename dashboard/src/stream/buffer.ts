// The latest rows of a view: a ring bounded by count and bytes, which evicts its oldest rows. Each row has an absolute
// place: after 5 evictions the oldest row stands at place 5, and a new row always stands at `end`.
import { type EntryRow, GapRow, type Row } from './row.ts';

const SLOTS = 2 ** 17;
const MASK = SLOTS - 1;

export const MAX_ROWS = 100_000;
export const MAX_BYTES = 160 * 1024 * 1024;
/** Rows of history that the reader loads do not count towards the ring's bound, up to this many. */
const MAX_LOADED = 30_000;

export class LogBuffer {
  /** Place of the oldest row. */
  first = 0;
  /** Place after the newest row. */
  end = 0;
  bytes = 0;
  /** Entries among the rows. */
  entries = 0;
  /** Entries that were here and were evicted. */
  evicted = 0;
  /** The gap before the oldest row: entries that were evicted here, or older ones that were never loaded. */
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
    this.#count(row, 1);
    while (this.size > this.#maxRows + this.#loaded || (this.bytes > this.#maxBytes && this.size > 1))
      this.#evict();
  }

  /** How many rows can still be inserted. */
  get room(): number {
    return Math.max(0, Math.min(MAX_LOADED - this.#loaded, SLOTS - this.size - 1));
  }

  /**
   * Inserts rows before the row at `at`; the rows from `at` on move to higher places. Gives the rows inserted: where
   * there is no room for all, only the last of them. Inserting 2 rows at place 4 moves the row at place 4 to place 6.
   */
  insert(at: number, rows: readonly Row[]): readonly Row[] {
    const inserted = rows.slice(Math.max(0, rows.length - this.room));
    this.#loaded += inserted.length;
    const shift = inserted.length;
    for (let i = this.end - 1; i >= at; i--) {
      const row = this.#slots[i & MASK];
      this.#slots[(i + shift) & MASK] = row;
      if (row) row.at = i + shift;
    }
    for (const [i, row] of inserted.entries()) {
      row.at = at + i;
      this.#slots[row.at & MASK] = row;
      this.#count(row, 1);
    }
    this.end += shift;
    return inserted;
  }

  remove(at: number): void {
    const removed = this.get(at);
    if (!removed) return;
    this.#count(removed, -1);
    for (let i = at; i < this.end - 1; i++) {
      const row = this.#slots[(i + 1) & MASK];
      this.#slots[i & MASK] = row;
      if (row) row.at = i;
    }
    this.end--;
    this.#slots[this.end & MASK] = undefined;
  }

  /** Puts a gap before the oldest row, because the log may hold older entries. */
  expectEarlier(): void {
    this.head ??= headRow('earlier');
  }

  /** The entries among the rows, oldest first. */
  *entryRows(): Generator<EntryRow> {
    for (let at = this.first; at < this.end; at++) {
      const row = this.get(at);
      if (row?.kind === 'entry') yield row;
    }
  }

  /** Id of the oldest entry here; entries that were never stored have no id and are skipped. */
  get oldestId(): string | undefined {
    for (const { id } of this.entryRows()) if (id !== undefined) return id;
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

  /** Counts a row that was added (`sign` 1) or removed (−1). */
  #count(row: Row, sign: number): void {
    this.bytes += sign * row.bytes;
    if (row.kind === 'entry') this.entries += sign;
  }

  #evict(): void {
    const slot = this.first & MASK;
    const row = this.#slots[slot];
    this.#slots[slot] = undefined;
    this.first++;
    if (!row) return;
    this.#count(row, -1);
    if (row.kind !== 'entry') return;
    this.evicted++;
    if (this.head?.reason !== 'evicted') this.head = headRow('evicted');
    this.head.missed = this.evicted;
  }
}

function headRow(reason: 'evicted' | 'earlier'): GapRow {
  return new GapRow({ reason, channel: null, after: undefined, before: undefined, missed: null });
}
