// Where a publisher sends its entries. A sink takes one batch at a time, and says how much more it can take.

import type { EntryText } from '../entry-text.ts';

export interface Item {
  text: EntryText;
  number: number;
}

export interface Sink {
  /** How many entries it can take now. */
  room(): number;
  send(items: readonly Item[]): void;
  /** Resolves when the server has acknowledged all entries, with their number since the sink was opened. */
  flushed(): Promise<number>;
  close(): Promise<void>;
}
