// Gives a model each entry of the stream once and in order: first those that the page already holds, in slices, so that it stays quick
// however many there are, and then each that comes.
import type { EntryRow } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { tell } from '../stream/tell.ts';

const SLICE_MS = 8;

export interface EntrySource {
  session: Pick<Session, 'buffer'>;
  onEntry(listener: (row: EntryRow) => void): void;
  onCleared(listener: () => void): void;
}

/** What counts entries. */
export interface EntryCounter {
  count(row: EntryRow): void;
  clear(): void;
}

/**
 * When the log got an entry, in ms by its own clock: those of the writers differ. Of one that was never stored, the writer's clock says it, but
 * not of a time to come. NaN where nobody knows.
 */
export function logTimeOf({ id, time }: EntryRow): number {
  return id === undefined ? Math.min(time, Date.now()) : Number.parseInt(id, 10);
}

export class EntryFeed {
  readonly #counter: EntryCounter;
  readonly #onCaughtUp: () => void;
  /** Entries that are still to be counted, in their order. */
  #waiting: EntryRow[] = [];
  readonly #source: EntrySource;

  constructor(source: EntrySource, counter: EntryCounter, onCaughtUp: () => void) {
    this.#counter = counter;
    this.#onCaughtUp = onCaughtUp;
    this.#source = source;
    source.onEntry((row) => {
      if (this.#waiting.length > 0) this.#waiting.push(row);
      else counter.count(row);
    });
    source.onCleared(() => {
      this.#waiting = [];
      counter.clear();
    });
    this.recount();
  }

  /** Counts all that is here once more, from nothing. */
  recount(): void {
    this.#counter.clear();
    this.#waiting = [...this.#source.session.buffer.entryRows()];
    this.#countSlice(this.#waiting, 0);
  }

  /** Whether entries that were here before are still to be counted. */
  get isCounting(): boolean {
    return this.#waiting.length > 0;
  }

  #countSlice(waiting: EntryRow[], from: number): void {
    if (waiting !== this.#waiting) return;
    const deadline = performance.now() + SLICE_MS;
    const count = (row: EntryRow) => this.#counter.count(row);
    let next = from;
    while (next < waiting.length && performance.now() < deadline) {
      const row = waiting[next++];
      if (row) tell(count, row);
    }
    if (next < waiting.length) {
      setTimeout(() => this.#countSlice(waiting, next));
      return;
    }
    this.#waiting = [];
    this.#onCaughtUp();
  }
}
