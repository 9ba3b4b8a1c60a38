// Finds the severe entries among those that the log shows, and remembers up to where the reader has looked. It reads the buffer from time
// to time, in slices, so one entry more costs no more than its reading.
import type { RowList } from '../log/row-list.ts';
import type { LogBuffer } from '../stream/buffer.ts';
import type { EntryRow, Row } from '../stream/row.ts';
import { PlacedRows } from './placed-rows.ts';

const WARN = 3;
const ERROR = 4;
/** After more attempts in a row that have not read all, what is counted so far is shown. */
const MAX_PARTIAL = 3;

export interface Counts {
  errors: number;
  warnings: number;
  /** Whether entries that are here have not been counted yet. */
  isPartial: boolean;
}

export class SevereScan {
  readonly errors = new PlacedRows();
  readonly warnings = new PlacedRows();
  readonly #buffer: LogBuffer;
  readonly #shown: () => RowList;
  #list: RowList;
  /** The next place of the buffer to read. */
  #next: number;
  /** The last row that was here when the reader looked. */
  #looked: Row | undefined;
  /** How many of the last attempts in a row have not read all. */
  #partial = 0;
  /** The newest entry of those: a stream that is opened anew brings entries again that the reader has seen. */
  #newest: EntryRow | undefined;

  /** `shown` gives the log's present list: another one after each change of the filter, or of older rows. */
  constructor(buffer: LogBuffer, shown: () => RowList) {
    this.#buffer = buffer;
    this.#shown = shown;
    this.#list = shown();
    this.#next = buffer.first;
  }

  /**
   * Reads on, up to `deadline`, and counts those that the reader has not looked at. Undefined while what was here before is read again,
   * unless that lasts: a filter may cost so much, or so many come, that it never ends.
   */
  count(deadline: number): Counts | undefined {
    const isPartial = !this.step(deadline);
    this.#partial = isPartial ? this.#partial + 1 : 0;
    return this.#partial > 0 && this.#partial <= MAX_PARTIAL ? undefined : this.unseen;
  }

  /** Reads on, up to `deadline` by performance.now; true when all that is here has been read. */
  step(deadline: number): boolean {
    const { first } = this.#buffer;
    const list = this.#shown();
    if (list !== this.#list) {
      this.#list = list;
      this.#next = first;
      this.errors.clear();
      this.warnings.clear();
    }
    this.errors.evict(first);
    this.warnings.evict(first);
    this.#next = Math.max(this.#next, first);
    while (this.#next < this.#buffer.end) {
      // A filter may take milliseconds for one row, a row that is no trouble takes nothing.
      if ((this.#next & 255) === 0 && performance.now() > deadline) return false;
      const row = this.#buffer.get(this.#next++);
      if (row?.kind !== 'entry') continue;
      if (this.#hasSeen(row)) this.#looked = row;
      if (row.level < WARN) continue;
      if (this.#list.options.test(row)) (row.level < ERROR ? this.warnings : this.errors).add(row);
      if (performance.now() > deadline) return false;
    }
    return true;
  }

  /** Those that the reader has not looked at. */
  get unseen(): Counts {
    return this.countAfter(this.#looked);
  }

  countAfter(row: Row | undefined): Counts {
    const at = row ? row.at + 1 : this.#buffer.first;
    return {
      errors: this.errors.countFrom(at),
      warnings: this.warnings.countFrom(at),
      isPartial: this.#next < this.#buffer.end,
    };
  }

  /** The first error that the reader has not looked at, or else the first warning. */
  get firstUnseen(): EntryRow | undefined {
    const at = this.#looked ? this.#looked.at + 1 : this.#buffer.first;
    return this.errors.next(at) ?? this.warnings.next(at);
  }

  /** The last row that was read. */
  get last(): Row | undefined {
    return this.#buffer.get(this.#next - 1);
  }

  /** From now on what was read is what the reader has looked at. */
  look(): void {
    this.#looked = this.last ?? this.#looked;
    for (let at = this.#next - 1; at >= this.#buffer.first; at--) {
      const row = this.#buffer.get(at);
      if (row?.kind !== 'entry' || row.n === 0) continue;
      this.#newest = row;
      return;
    }
  }

  #hasSeen({ n, log, at }: EntryRow): boolean {
    const newest = this.#newest;
    return (
      newest !== undefined && n > 0 && n <= newest.n && log === newest.log && at > (this.#looked?.at ?? -1)
    );
  }
}
