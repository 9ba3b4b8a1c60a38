// Puts the pieces of one output of a container together to lines, each with the engine's time. Docker cuts a long line into pieces
// with one and the same time, of which only the last ends in a line end. A piece with another time begins a new line, although the
// one before has no line end: those were the last words of the container before it was started again.

import { LineSplitter } from '../pipe/line-splitter.ts';
import type { Stamp } from './stamp.ts';

const LINE_END = 0x0a;
/** Docker cuts a long line into pieces of this size. With the journald driver each of them has a time of its own. */
const FULL_PIECE_BYTES = 16_384;

export interface LogLinesOptions {
  /** Podman gives each piece of a line a time of its own, and ends last words with a line end. */
  piecesHaveOwnTimes: boolean;
}

export class LogLines<Mark> {
  readonly #options: LogLinesOptions;
  readonly #onLine: (at: Stamp, line: string, mark: Mark | undefined) => void;
  #splitter = new LineSplitter();
  /** The time of the line that is not complete. */
  #open: Stamp | undefined;
  /** What the caller said of the last piece. */
  #mark: Mark | undefined;
  #wasFull = false;

  /** `onLine` gets the mark of the last piece that is wholly in this line and those before it. */
  constructor(options: LogLinesOptions, onLine: (at: Stamp, line: string, mark: Mark | undefined) => void) {
    this.#options = options;
    this.#onLine = onLine;
  }

  /** The time of the line that is not complete; undefined if every line is. */
  get open(): Stamp | undefined {
    return this.#open;
  }

  addPiece(at: Stamp, text: Buffer, mark: Mark): void {
    const continues = at === this.#open || this.#wasFull || this.#options.piecesHaveOwnTimes;
    if (this.#open !== undefined && !continues) this.end();
    this.#wasFull = text.length >= FULL_PIECE_BYTES;
    const time = this.#open ?? at;
    const isComplete = text.length > 0 && text[text.length - 1] === LINE_END;
    const before = this.#mark;
    const lines = this.#splitter.splitChunk(text);
    lines.forEach((line, i) => {
      this.#onLine(time, line, isComplete && i === lines.length - 1 ? mark : before);
    });
    this.#mark = mark;
    this.#open = isComplete ? undefined : time;
  }

  /** Completes a line that has no line end. */
  end(): void {
    const time = this.#open;
    this.#open = undefined;
    if (time === undefined) return;
    // A line may be empty, and still it is one that was read.
    this.#onLine(time, this.#splitter.splitRest()[0] ?? '', this.#mark);
  }

  /** Drops a line that is not complete: it will be read again from its beginning. `mark` is that of the last piece before it. */
  reset(mark: Mark | undefined): void {
    this.#splitter = new LineSplitter();
    this.#open = undefined;
    this.#wasFull = false;
    this.#mark = mark;
  }
}
