// A fold: several entries that belong together, shown as one row. It holds the entries, so that they can be shown one by one,
// exported and counted; what the row says of them is for the kinds of folds.
import { lowerBound } from '../stream/lower-bound.ts';
import type { EntryRow } from '../stream/row.ts';
import { foldKeyOf } from './fold-key.ts';

export abstract class Fold {
  readonly kind = 'fold';
  /** The place in the buffer of the fold's first entry that is not evicted. */
  at: number;
  /** The place of the fold in the list. */
  place = 0;
  /** In the order of the log. */
  readonly rows: EntryRow[];
  /** Grows with each change, so that a row node can see whether it shows the latest. */
  version = 0;
  /** Whether the latest change has only made the text longer. */
  hasGrown = false;

  constructor(first: EntryRow) {
    this.at = first.at;
    this.rows = [first];
  }

  /** What the reader opens when the entries shall be shown one by one: the same for all folds of its kind. */
  get key(): string {
    return foldKeyOf(this.first);
  }

  get first(): EntryRow {
    return this.rows[0] as EntryRow;
  }

  get last(): EntryRow {
    return this.rows[this.rows.length - 1] as EntryRow;
  }

  /** The entry whose time, source, channel and event the row has. */
  get shown(): EntryRow {
    return this.first;
  }

  get time(): number {
    return this.shown.time;
  }

  get level(): number {
    return this.shown.level;
  }

  /** Whether the beginning of the text is printable ASCII on one line. */
  get plain(): boolean {
    return this.shown.plain;
  }

  get text(): string {
    return this.shown.msg;
  }

  /** The text as far as a row may show it from its beginning: it may be called at each change, and `text` may be long. */
  get beginning(): string {
    return this.text;
  }

  /** The last characters of the text, at most `limit`. */
  ending(limit: number): string {
    return this.text.slice(-limit);
  }

  /** The text of a generation as far as it is here; empty for other folds. */
  get said(): string {
    return '';
  }

  /** How much it is, for the detail. */
  get figures(): string {
    return '';
  }

  /** Whether it is a generation: its row has no event's name, since the label says how it is. */
  get isGeneration(): boolean {
    return false;
  }

  /** Whether the end of the text is new, so that it must be seen. */
  get isGrowing(): boolean {
    return false;
  }

  /** What stands before the text. */
  abstract get label(): string;

  /** Whether an entry that comes after these, of the same key, belongs to them. */
  abstract takes(row: EntryRow): boolean;

  add(row: EntryRow): void {
    this.rows.push(row);
    this.version++;
  }

  /** Called with an entry that belongs to these, and has a row of its own. */
  hear(_row: EntryRow): void {
    this.version++;
  }

  /** Called when the next fold of the same key begins. */
  lose(): void {
    this.version++;
  }

  holds(row: EntryRow): boolean {
    return this.rows[this.indexAt(row.at)] === row;
  }

  /** The index of the first entry at or after the place `at` of the buffer. */
  indexAt(at: number): number {
    return lowerBound(0, this.rows.length, (index) => (this.rows[index] as EntryRow).at < at);
  }

  /** Drops the entries before the place `limit` of the buffer; false when none is left. */
  evict(limit: number): boolean {
    const keep = this.indexAt(limit);
    if (keep === this.rows.length) return false;
    if (keep > 0) {
      this.rows.splice(0, keep);
      this.version++;
    }
    return true;
  }
}
