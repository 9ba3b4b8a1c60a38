// Which entries of a list are folded together: those of one generation and the numbers of one source, wherever they stand, and lines
// that their writer repeats. Each entry goes into one fold or has a row of its own, as every warning and error has that is not repeated.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import type { EntryRow } from '../stream/row.ts';
import type { Fold } from './fold.ts';
import { areAlike, foldKeyOf, groupOf } from './fold-key.ts';
import { GenerationFold } from './generation-fold.ts';
import type { Item } from './item.ts';
import { RepeatFold } from './repeat-fold.ts';

const WARN = 3;
/** A line that is repeated further down has a row of its own again: nobody sees a count that grows in a row that scrolled out. */
const NEAR = 25;
/** A fold may begin with these; anything else that is said of a generation goes only into one that is there. */
const BEGINNINGS: ReadonlySet<string | undefined> = new Set([
  EVENTS.serverMetrics,
  EVENTS.requestQueued,
  EVENTS.generationStarted,
  EVENTS.generationDelta,
  EVENTS.generationFinished,
  EVENTS.generationFailed,
]);

/** The list that shows the folds. */
export interface FoldedList {
  readonly end: number;
  readonly options: { readonly unfolded: ReadonlySet<string> };
  get(place: number): Item | undefined;
  append(fold: Fold): void;
  /** Shows a fold at its place, where it has changed, or is new. */
  update(fold: Fold): void;
}

export class Folds {
  readonly #list: FoldedList;
  /** Of generations and numbers: those of one key from the oldest to the latest, which alone takes entries. */
  readonly #byKey = new Map<string, Fold[]>();

  constructor(list: FoldedList) {
    this.#list = list;
  }

  /** Whether an entry went into a fold. */
  take(row: EntryRow): boolean {
    const key = groupOf(row);
    if (key === undefined) return row.event === undefined && this.#takeRepeat(row);
    return !this.#list.options.unfolded.has(key) && this.#takeInto(key, row);
  }

  keyOf(row: EntryRow): string {
    return foldKeyOf(row);
  }

  /** The fold that holds an entry; `place` is where the entry itself would stand. */
  of(row: EntryRow, place: number): Fold | undefined {
    const grouped = this.#byKey.get(groupOf(row) ?? '');
    if (grouped) return grouped.findLast((fold) => fold.first.at <= row.at && fold.holds(row));
    for (let near = place; near >= place - NEAR; near--) {
      const item = this.#list.get(near);
      if (item?.kind === 'fold' && item.holds(row)) return item;
    }
    return undefined;
  }

  /** Takes out those that were evicted: of a key that has tens of thousands, hundreds may go at once. */
  remove(evicted: ReadonlySet<Fold>): void {
    for (const key of new Set([...evicted].map(({ first }) => groupOf(first) ?? ''))) {
      const left = this.#byKey.get(key)?.filter((fold) => !evicted.has(fold)) ?? [];
      if (left.length === 0) this.#byKey.delete(key);
      else this.#byKey.set(key, left);
    }
  }

  #takeInto(key: string, row: EntryRow): boolean {
    const hasOwnRow = row.level >= WARN && row.tokens === 0;
    const folds = this.#byKey.get(key);
    const latest = folds?.at(-1);
    if (latest?.takes(row)) {
      if (!hasOwnRow) latest.add(row);
      else latest.hear(row);
      this.#list.update(latest);
      return !hasOwnRow;
    }
    if (hasOwnRow || !BEGINNINGS.has(row.event)) return false;
    latest?.lose();
    const fold = row.event === EVENTS.serverMetrics ? new RepeatFold(row) : new GenerationFold(row);
    if (folds) folds.push(fold);
    else this.#byKey.set(key, [fold]);
    this.#list.append(fold);
    return true;
  }

  /** Takes a line that repeats the last one of its source and channel. */
  #takeRepeat(row: EntryRow): boolean {
    const { end, options } = this.#list;
    for (let place = end - 1; place >= end - NEAR; place--) {
      const item = this.#list.get(place);
      // What was said before a gap or the reader's mark stays there.
      if (item?.kind !== 'entry' && item?.kind !== 'fold') return false;
      const last = item.kind === 'fold' ? item.last : item;
      if (last.source !== row.source || last.channel !== row.channel || groupOf(last) !== undefined) continue;
      if (!areAlike(last, row) || options.unfolded.has(foldKeyOf(row))) return false;
      const fold = item.kind === 'fold' ? item : new RepeatFold(item);
      fold.place = place;
      fold.add(row);
      this.#list.update(fold);
      return true;
    }
    return false;
  }
}
