// Puts the pieces of one output of a container together to lines, each with the engine's time. Docker cuts a long line into pieces
// with one and the same time, of which only the last ends in a line end. A piece with another time begins a new line, although the
// one before has no line end: those were the last words of the container before it was started again.

import { LineSplitter } from '../pipe/line-splitter.ts';
import { EARLIEST, type Stamp } from './stamp.ts';

const LINE_END = 0x0a;
/** Docker cuts a long line into pieces of this size. With the journald driver each of them has a time of its own. */
const FULL_PIECE_BYTES = 16_384;

export interface LogLinesOptions {
  /** Podman gives each piece of a line a time of its own, and ends last words with a line end. */
  piecesHaveOwnTimes: boolean;
}

export class LogLines {
  readonly #options: LogLinesOptions;
  readonly #onLine: (at: Stamp, line: string) => void;
  #splitter = new LineSplitter();
  /** The time of the line that is not complete. */
  #open: Stamp | undefined;
  #last: Stamp = EARLIEST;
  #wasFull = false;

  constructor(options: LogLinesOptions, onLine: (at: Stamp, line: string) => void) {
    this.#options = options;
    this.#onLine = onLine;
  }

  /** The time of the line that is not complete; undefined if every line is. */
  get open(): Stamp | undefined {
    return this.#open;
  }

  /** A piece without a time has that of the piece before it. */
  addPiece(stamp: Stamp | undefined, text: Buffer): void {
    const at = stamp ?? this.#last;
    this.#last = at;
    const continues = at === this.#open || this.#wasFull || this.#options.piecesHaveOwnTimes;
    if (this.#open !== undefined && !continues) this.end();
    this.#wasFull = text.length >= FULL_PIECE_BYTES;
    const time = this.#open ?? at;
    for (const line of this.#splitter.splitChunk(text)) this.#onLine(time, line);
    this.#open = text.length > 0 && text[text.length - 1] === LINE_END ? undefined : time;
  }

  /** Completes a line that has no line end. */
  end(): void {
    const time = this.#open;
    this.#open = undefined;
    if (time === undefined) return;
    const rest = this.#splitter.splitRest();
    // A line may be empty, and still it is one that was read.
    for (const line of rest.length > 0 ? rest : ['']) this.#onLine(time, line);
  }

  /** Drops a line that is not complete: it will be read again from its beginning. */
  reset(): void {
    this.#splitter = new LineSplitter();
    this.#open = undefined;
  }
}
