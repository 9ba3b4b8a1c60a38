// Takes the engine's log of a container with a terminal apart. There are no frames: each message is a time, a blank and the text,
// and only a line end separates a message from the next. Two cases have no line end: pieces of a long line, each with the time of
// the first, and the last words of a container before it was started again. There the next time stands within the line, and it
// is not earlier than the line's own, which no time that the program itself has written can be.

import { parseStamp, type Stamp } from './stamp.ts';

/** A longer line is passed on in parts. */
const MAX_HELD_BYTES = 1_048_576;
const LINE_END = 0x0a;
const INNER_TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) /g;

/** `isFirst` is false for a piece that goes on with the message before: how a message is cut depends on how its bytes arrive. */
export type OnPiece = (stamp: Stamp | undefined, text: Buffer, isFirst: boolean) => void;

export class TerminalLines {
  readonly #onPiece: OnPiece;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** The time of a line of which parts were passed on already. */
  #open: Stamp | undefined;
  #isOpen = false;

  constructor(onPiece: OnPiece) {
    this.#onPiece = onPiece;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
      this.#chunks.push(chunk.subarray(start, end + 1));
      this.#passOn();
      this.#isOpen = false;
      start = end + 1;
    }
    if (start === chunk.length) return;
    this.#chunks.push(chunk.subarray(start));
    this.#bytes += chunk.length - start;
    if (this.#bytes <= MAX_HELD_BYTES) return;
    this.#passOn();
    this.#isOpen = true;
  }

  /** The last words of the container: text without a line end. */
  end(): void {
    if (this.#bytes > 0) this.#passOn();
    this.#isOpen = false;
  }

  #passOn(): void {
    const line = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#bytes = 0;
    const { stamp, text } = this.#isOpen ? { stamp: this.#open, text: line } : splitStamp(line);
    this.#open = stamp;
    if (stamp === undefined) {
      this.#onPiece(stamp, text, !this.#isOpen);
      return;
    }
    let last = stamp;
    let from = 0;
    let isFirst = !this.#isOpen;
    for (const { 0: found, index } of text.toString('latin1').matchAll(INNER_TIME)) {
      const inner = parseStamp(found.slice(0, -1));
      if (inner === undefined || inner < last) continue;
      this.#onPiece(last, text.subarray(from, index), isFirst);
      from = index + found.length;
      isFirst = inner > last;
      last = inner;
    }
    this.#open = last;
    this.#onPiece(last, text.subarray(from), isFirst);
  }
}

/** Takes the time from the front of a message. */
export function splitStamp(message: Buffer): { stamp: Stamp | undefined; text: Buffer } {
  const blank = message.subarray(0, 40).indexOf(0x20);
  const stamp = blank > 0 ? parseStamp(message.toString('latin1', 0, blank)) : undefined;
  return { stamp, text: stamp === undefined ? message : message.subarray(blank + 1) };
}
