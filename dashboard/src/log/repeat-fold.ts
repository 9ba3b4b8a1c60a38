// Entries that say the same again, as one row with their number: a line that its writer repeats, or the numbers of a source,
// of which the latest count.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import type { EntryRow } from '../stream/row.ts';
import { Fold } from './fold.ts';
import { areAlike } from './fold-key.ts';
import { duration } from './time.ts';

export class RepeatFold extends Fold {
  override get shown(): EntryRow {
    return this.#isNumbers ? this.last : this.first;
  }

  get label(): string {
    const { length } = this.rows;
    if (length === 1) return '';
    return `×${length} ${this.#isNumbers ? '' : `in ${duration(Math.max(0, this.last.time - this.first.time))} `}`;
  }

  takes(row: EntryRow): boolean {
    return this.#isNumbers ? row.event === EVENTS.serverMetrics : areAlike(this.first, row);
  }

  get #isNumbers(): boolean {
    return this.first.event === EVENTS.serverMetrics;
  }
}
