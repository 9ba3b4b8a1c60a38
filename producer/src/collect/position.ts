// Where the reading of one output of a container stands, and which messages of a log that is read again are new. A message is
// known by the engine's time and by how many messages of that output with the same time came before it, so equal times lose and double
// nothing.

import { EARLIEST, isStamp, type Stamp } from './stamp.ts';

const MAX_COUNTS = 256;

/** The last message that was read. */
export interface Cursor {
  at: Stamp;
  /** It is the `nth` one with this time, counted from 1. */
  nth: number;
  /** The latest time of all messages so far. It is later than `at` where the machine's clock was put back. */
  top: Stamp;
}

export class Position {
  #cursor: Cursor | undefined;
  /** How many messages had each of the last times. They need not stand side by side: clocks are put back. */
  readonly #counts = new Map<Stamp, number>();
  /** Whether the messages that come may have been read before. */
  #isRepeating = false;

  constructor(cursor: Cursor | undefined) {
    this.#cursor = cursor;
  }

  /** Undefined before the first message. */
  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** The log is read again, with all messages from this time on. Those after `cursor` are new, also if they were read before. */
  reopen(since: Stamp, cursor: Cursor | undefined): void {
    this.#cursor = cursor;
    this.#counts.clear();
    // If the last message is older, then so are all that were read.
    this.#isRepeating = cursor !== undefined && cursor.at >= since;
  }

  /**
   * To be called for each message, in order. Gives the cursor of one that is new.
   * @param isSure false if `at` may be a time that a program has written
   */
  advance(at: Stamp, isSure = true): Cursor | undefined {
    const count = this.#count(at);
    const { at: last, nth, top } = this.#cursor ?? { at: EARLIEST, nth: 0, top: EARLIEST };
    if (this.#isRepeating) {
      if (at === last && count === nth) {
        this.#isRepeating = false;
        return undefined;
      }
      if (at <= top || !isSure) return undefined;
      // The last message is not there any more: the engine has dropped it with an old file.
      this.#isRepeating = false;
    }
    this.#cursor = { at, nth: count, top: at > top ? at : top };
    return this.#cursor;
  }

  #count(at: Stamp): number {
    const count = (this.#counts.get(at) ?? 0) + 1;
    this.#counts.set(at, count);
    if (this.#counts.size > MAX_COUNTS) this.#counts.delete(this.#counts.keys().next().value as Stamp);
    return count;
  }
}

export type CursorArray = [at: Stamp, nth: number, top?: Stamp];

export function cursorToArray({ at, nth, top }: Cursor): CursorArray {
  return top === at ? [at, nth] : [at, nth, top];
}

export function cursorFromArray(value: unknown): Cursor | undefined {
  if (!Array.isArray(value)) return undefined;
  const [at, nth, top = at] = value as unknown[];
  return isStamp(at) && Number.isSafeInteger(nth) && isStamp(top)
    ? { at, nth: nth as number, top }
    : undefined;
}
