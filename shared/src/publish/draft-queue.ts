// Entries that wait to be sent, first in, first out. It is bounded in bytes: beyond the bound the oldest entries are dropped.

import type { Draft } from '../entry.ts';

/** The memory of a waiting entry besides its text. It counts, so that a flood of empty lines is bounded, too. */
const OVERHEAD_BYTES = 100;
/** When so many places at the front of the array are unused, the entries after them are moved to the front. */
const COMPACT_AT = 4096;

export class DraftQueue {
  readonly #maxBytes: number;
  readonly #drafts: (Draft | undefined)[] = [];
  readonly #sizes: number[] = [];
  #head = 0;
  #bytes = 0;
  #removed = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#drafts.length - this.#head;
  }

  /** The bytes in the queue, overhead included. */
  get bytes(): number {
    return this.#bytes + this.length * OVERHEAD_BYTES;
  }

  /**
   * How many entries have left the front so far, taken or dropped. So it is the ordinal of the oldest entry that still waits: with
   * 3 entries gone, the oldest one is number 3, counted from 0.
   */
  get removed(): number {
    return this.#removed;
  }

  /** Adds an entry, and returns how many of the oldest were dropped for it. */
  enqueue(draft: Draft, bytes: number): number {
    this.#drafts.push(draft);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    let dropped = 0;
    while (this.bytes > this.#maxBytes && this.length > 0) {
      this.#shift();
      dropped++;
    }
    if (dropped > 0) this.#compact();
    return dropped;
  }

  /** Removes and returns the oldest entries that fit into both limits; a line break between two of them counts as one byte. */
  takeBatch(maxEntries: number, maxBytes: number): Draft[] {
    const taken: Draft[] = [];
    let bytes = 0;
    while (this.length > 0 && taken.length < maxEntries) {
      bytes += (this.#sizes[this.#head] as number) + (taken.length > 0 ? 1 : 0);
      if (bytes > maxBytes) break;
      taken.push(this.#shift());
    }
    this.#compact();
    return taken;
  }

  #shift(): Draft {
    const draft = this.#drafts[this.#head] as Draft;
    this.#drafts[this.#head] = undefined;
    this.#bytes -= this.#sizes[this.#head] as number;
    this.#head++;
    this.#removed++;
    return draft;
  }

  #compact(): void {
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#drafts.length) return;
    this.#drafts.splice(0, this.#head);
    this.#sizes.splice(0, this.#head);
    this.#head = 0;
  }
}
