// Takes the engine's log of a container with a terminal apart. There are no frames: each message is a time, a blank and the text,
// and only a line end separates a message from the next. Two cases have no line end: pieces of a long line, each with the time of
// the first, and the last words of a container before it was started again. There the next time stands within the line. Programs
// write times, too: one is the engine's only where a piece can begin, or in a line from before the container's last start, and never
// if it is yet to come.

import { parseStamp, type Stamp } from './stamp.ts';

/** A longer line is passed on in parts. */
const MAX_HELD_BYTES = 1_048_576;
const LINE_END = 0x0a;
/** No engine cuts a line into smaller pieces. */
const MIN_PIECE_BYTES = 8_192;
const INNER_TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) /g;

export interface Piece {
  stamp: Stamp | undefined;
  text: Buffer;
  /** False for a piece that goes on with the message before: how a message is cut depends on how its bytes arrive. */
  isFirst: boolean;
  /** The time at the beginning of the line, if this piece has another, which may be a program's after all. */
  within?: Stamp;
}

export interface TerminalOptions {
  /** When the container was last started. */
  startedAt: Stamp;
  /** No time of the engine is later than this. */
  latest: () => Stamp;
  onPiece: (piece: Piece) => void;
}

export class TerminalLines {
  readonly #options: TerminalOptions;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** The times of a line of which parts were passed on already: at its beginning, and of its last piece. */
  #begun: Stamp | undefined;
  #open: Stamp | undefined;
  #isOpen = false;
  /** How many bytes of its last piece were passed on. */
  #passed = 0;

  constructor(options: TerminalOptions) {
    this.#options = options;
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
    const { startedAt, latest, onPiece } = this.#options;
    let isFirst = !this.#isOpen;
    if (isFirst) {
      this.#begun = stamp;
      this.#passed = 0;
    }
    this.#open = stamp;
    if (stamp === undefined) {
      onPiece({ stamp, text, isFirst });
      return;
    }
    const begun = this.#begun;
    const now = latest();
    let last = stamp;
    let from = 0;
    const pass = (part: Buffer) =>
      onPiece({
        stamp: last,
        text: part,
        isFirst,
        ...(begun !== undefined && begun !== last && { within: begun }),
      });
    for (const { 0: found, index } of text.toString('latin1').matchAll(INNER_TIME)) {
      const inner = parseStamp(found.slice(0, -1));
      if (inner === undefined) continue;
      const isPiece = inner === last && this.#passed + index - from >= MIN_PIECE_BYTES;
      const isNextRun = inner > last && last < startedAt && inner <= now;
      if (!isPiece && !isNextRun) continue;
      pass(text.subarray(from, index));
      from = index + found.length;
      this.#passed = 0;
      isFirst = isNextRun;
      last = inner;
    }
    this.#open = last;
    this.#passed += text.length - from;
    pass(text.subarray(from));
  }
}

/** Takes the time from the front of a message. */
export function splitStamp(message: Buffer): { stamp: Stamp | undefined; text: Buffer } {
  const blank = message.subarray(0, 40).indexOf(0x20);
  const stamp = blank > 0 ? parseStamp(message.toString('latin1', 0, blank)) : undefined;
  return { stamp, text: stamp === undefined ? message : message.subarray(blank + 1) };
}
