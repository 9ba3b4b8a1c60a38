// The list that the log shows: the rows that pass the filter, with entries that belong together folded into one item.
// It computes the place of each line by arithmetic, without the DOM.

import type { LogBuffer } from '../stream/buffer.ts';
import { lowerBound } from '../stream/lower-bound.ts';
import type { EntryRow, GapRow, Row } from '../stream/row.ts';
import type { Fold } from './fold.ts';
import type { Folds } from './folds.ts';
import { Heights } from './heights.ts';
import type { Item } from './item.ts';
import { type Layout, linesOf, MAX_LINES } from './text.ts';

const SLOTS = 2 ** 17;
const MASK = SLOTS - 1;

export interface RowListOptions extends Layout {
  test(row: EntryRow): boolean;
  /** What folds entries together; undefined where each has a row of its own. */
  folds: typeof Folds | undefined;
  /** Keys of the folds that are shown entry by entry. */
  unfolded: ReadonlySet<string>;
}

export class RowList {
  readonly options: RowListOptions;
  readonly #buffer: LogBuffer;
  readonly #heights = new Heights(SLOTS);
  readonly #folds: Folds | undefined;
  /** The gap before the buffer's oldest row, as this list shows it. */
  #head: GapRow | undefined;
  #items: (Item | undefined)[] = new Array(SLOTS);
  /** By place in the buffer: 1 for an entry that the filter hides. */
  readonly #hiddenAt = new Uint8Array(SLOTS);
  /** The buffer's first place when `hidden` was last updated. */
  #counted: number;
  /** Absolute place of the first item; negative after items were put before the list's first. */
  first = 0;
  end = 0;
  /** The next place of the buffer to look at. */
  next: number;
  /** How many entries of the buffer the filter hides. */
  hidden = 0;
  /** Lines evicted from the front so far. */
  evictedLines = 0;
  /** How many entries passed the filter so far and, among them, how many errors. */
  appended = 0;
  errors = 0;

  constructor(buffer: LogBuffer, options: RowListOptions) {
    this.#buffer = buffer;
    this.options = options;
    this.#folds = options.folds && new options.folds(this);
    this.next = buffer.first;
    this.#counted = buffer.first;
  }

  get size(): number {
    return this.end - this.first;
  }

  get lines(): number {
    return this.#heights.total;
  }

  get(place: number): Item | undefined {
    return place >= this.first && place < this.end ? this.#items[place & MASK] : undefined;
  }

  linesAt(place: number): number {
    return this.#heights.get(place & MASK);
  }

  /** Processes the buffer's rows from `next` on, up to `deadline` by performance.now; true when all are processed. */
  catchUp(deadline = Number.POSITIVE_INFINITY): boolean {
    this.#evict();
    this.#updateHidden();
    if (this.next < this.#buffer.first) this.next = this.#buffer.first;
    while (this.next < this.#buffer.end) {
      // Checked before each row, since a filter may take milliseconds for one.
      if (performance.now() > deadline) return false;
      const row = this.#buffer.get(this.next++);
      if (row) this.#process(row);
    }
    return true;
  }

  /** How many lines are above an item. */
  linesBefore(place: number): number {
    const start = this.#heights.before(this.first & MASK);
    const here = this.#heights.before(place & MASK);
    const wrapped = (place & MASK) < (this.first & MASK) || (place === this.end && this.size === SLOTS);
    return wrapped ? this.lines - start + here : here - start;
  }

  /** The item that holds line `line`, counted from the first item. */
  placeOfLine(line: number): number {
    if (this.size === 0) return this.first;
    const clamped = Math.max(0, Math.min(this.lines - 1, Math.floor(line)));
    const start = this.#heights.before(this.first & MASK);
    let target = start + clamped;
    if (target >= this.lines) target -= this.lines;
    const slot = this.#heights.find(target);
    return this.first + ((slot - this.first) & MASK);
  }

  /** The place of the item at or after the place `at` of the buffer. */
  placeOf(at: number): number {
    return lowerBound(this.first, this.end, (place) => (this.get(place)?.at ?? 0) < at);
  }

  /** The place of the item that shows a row: the row itself, its fold, or else the next item. */
  placeOfRow(row: Row): number {
    // After the row: before it, the gap at the beginning may stand, which has the place of the first row.
    const near = this.placeOf(row.at + 1);
    const target: Item = (row.kind === 'entry' && this.#folds?.of(row, near)) || row;
    const nearest = this.placeOf(target.at);
    // Several folds whose first entries were evicted have the same place in the buffer: its first.
    for (let place = nearest; this.get(place)?.at === target.at; place++) {
      if (this.get(place) === target) return place;
    }
    return nearest;
  }

  /** What must be in `unfolded` so that an entry has a row of its own. */
  foldKeyOf(row: EntryRow): string | undefined {
    return this.#folds?.keyOf(row);
  }

  /** Called by `Folds`, too. */
  append(item: Item): void {
    if (item.kind === 'fold') item.place = this.end;
    if (this.size === SLOTS) return;
    this.end++;
    this.#put(this.end - 1, item);
  }

  update(fold: Fold): void {
    const { columns, headLines } = this.options;
    // A long answer is measured no more at each of its pieces.
    const isFull = fold.hasGrown && this.linesAt(fold.place) === headLines + MAX_LINES;
    if (this.get(fold.place) !== fold || (columns > 0 && !isFull)) this.#put(fold.place, fold);
  }

  /** The counts as they were when the buffer's row at `at` was the last one. */
  countUpTo(at: number): { appended: number; errors: number } {
    const counts = { appended: this.appended, errors: this.errors };
    for (let place = this.end - 1; place >= this.first; place--) {
      const item = this.get(place);
      const rows = item?.kind === 'fold' ? item.rows : item?.kind === 'entry' ? [item] : [];
      for (const row of rows) {
        if (row.at <= at) continue;
        counts.appended--;
        if (row.level >= 4) counts.errors--;
      }
    }
    return counts;
  }

  #process(row: Row): void {
    if (row.kind === 'entry') {
      if (!this.options.test(row)) {
        this.hidden++;
        this.#hiddenAt[row.at & MASK] = 1;
        return;
      }
      this.appended++;
      if (row.level >= 4) this.errors++;
      if (this.#folds?.take(row)) return;
    }
    this.append(row);
  }

  #put(place: number, item: Item): void {
    const slot = place & MASK;
    this.#items[slot] = item;
    this.#heights.set(slot, linesOf(item, this.options));
  }

  // Removes the items whose first row was evicted. A fold that still has entries stays, after the gap at the front.
  #evict(): void {
    const limit = this.#buffer.first;
    const { head } = this.#buffer;
    const shown = this.get(this.first);
    const second = shown?.kind === 'gap' && shown === this.#head ? this.get(this.first + 1) : shown;
    if (head === this.#head && (second === undefined || second.at >= limit)) return;
    const kept: Fold[] = [];
    const evicted = new Set<Fold>();
    while (this.first < this.end) {
      const item = this.get(this.first);
      if (item && item !== this.#head && item.at >= limit) break;
      this.#dropFirst();
      if (item?.kind !== 'fold') continue;
      if (item.evict(limit)) kept.push(item);
      else evicted.add(item);
    }
    this.#folds?.remove(evicted);
    for (const fold of kept.reverse()) {
      fold.at = limit;
      this.#prependItem(fold);
    }
    this.#head = head;
    if (!head) return;
    head.at = limit;
    this.#prependItem(head);
  }

  #updateHidden(): void {
    const { first } = this.#buffer;
    for (let at = this.#counted; at < Math.min(first, this.next); at++) {
      this.hidden -= this.#hiddenAt[at & MASK] ?? 0;
      this.#hiddenAt[at & MASK] = 0;
    }
    this.#counted = first;
  }

  #dropFirst(): void {
    const slot = this.first & MASK;
    this.evictedLines += this.#heights.get(slot);
    this.#items[slot] = undefined;
    this.#heights.set(slot, 0);
    this.first++;
  }

  #prependItem(item: Item): void {
    if (this.size === SLOTS) return;
    this.first--;
    if (item.kind === 'fold') item.place = this.first;
    this.#put(this.first, item);
    this.evictedLines -= this.linesAt(this.first);
  }
}
