// Where a publisher's entries go. A sink takes a batch at a time and says how much of what it took is still on its way.

import type { EntryText } from '../entry-text.ts';

export interface Item {
  text: EntryText;
  number: number;
}

export interface Sink {
  /** Entries it can take now. */
  room(): number;
  send(items: readonly Item[]): void;
  /** Resolves when the server has acknowledged all, with the acknowledged entries so far. */
  flushed(): Promise<number>;
  close(): Promise<void>;
}
