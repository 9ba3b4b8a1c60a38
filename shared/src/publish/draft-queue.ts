// Entries that wait to be sent, first in, first out, bounded in bytes: beyond the bound the oldest go.

import type { Draft } from '../entry.ts';

/** What a waiting entry costs beside its text, so that a flood of empty lines is bounded too. */
const OVERHEAD_BYTES = 100;
/** Taken places at the front of the array before it is moved up. */
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

  /** Bytes held, overhead included. */
  get bytes(): number {
    return this.#bytes + this.length * OVERHEAD_BYTES;
  }

  /** Entries that ever left at the front, taken or dropped: the ordinal of the oldest that still waits. */
  get removed(): number {
    return this.#removed;
  }

  /** Appends; returns how many of the oldest had to go for it. */
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

  /** Removes the oldest entries that fit both limits as lines: a separator between two counts as a byte. */
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
