// Splits chunks of bytes into lines of text, in bounded memory. A character that is cut between two chunks is put together
// again, invalid UTF-8 becomes U+FFFD, and a progress bar drawn with carriage returns becomes its last state:
// `10%\r50%\r100%\n` is the line `100%`.

import { cutMark, utf8Bytes } from '@llm-streamer/shared/entry.ts';

/** A longer line is no JSON object that fits into an entry, so only the beginning of its text is kept. */
const MAX_LINE_CHARS = 1_000_000;
const KEPT_CHARS = 262_144;

export class LineSplitter {
  readonly #decoder = new TextDecoder();
  #open = '';
  /** UTF-8 bytes of the open line that were not kept. */
  #lostBytes = 0;

  /** The lines that end in this chunk. */
  splitChunk(chunk: Uint8Array): string[] {
    return this.#split(this.#decoder.decode(chunk, { stream: true }));
  }

  /** The last line, if it has no line end. */
  splitRest(): string[] {
    const lines = this.#split(this.#decoder.decode());
    if (this.#open !== '') lines.push(this.#close());
    return lines;
  }

  #split(text: string): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#extend(text.slice(start, end));
      lines.push(this.#close());
      start = end + 1;
    }
    this.#extend(text.slice(start));
    return lines;
  }

  #extend(part: string): void {
    if (part === '') return;
    this.#open += part;
    if (part.includes('\r')) {
      const [start, end] = lastState(this.#open);
      if (start > 0) this.#lostBytes = 0;
      this.#open = this.#open.slice(start, part.endsWith('\r') ? end + 1 : end);
    }
    if (this.#open.length > MAX_LINE_CHARS) {
      this.#lostBytes += utf8Bytes(this.#open.slice(MAX_LINE_CHARS));
      this.#open = this.#open.slice(0, MAX_LINE_CHARS);
    }
  }

  #close(): string {
    const line = this.#open.includes('\r') ? this.#open.slice(...lastState(this.#open)) : this.#open;
    const lost = this.#lostBytes;
    this.#open = '';
    this.#lostBytes = 0;
    return lost === 0 ? line : line.slice(0, KEPT_CHARS) + cutMark(utf8Bytes(line) + lost);
  }
}

/** The part of a line that a terminal would show: a carriage return goes back to the beginning, and what follows overwrites. */
function lastState(line: string): [start: number, end: number] {
  let end = line.length;
  while (line[end - 1] === '\r') end--;
  return [end === 0 ? 0 : line.lastIndexOf('\r', end - 1) + 1, end];
}
