// Turns text in chunks of any size into complete SSE frames, by the grammar of the HTML standard, and keeps the last
// event id for a resume.
import type { Frame } from './wire.ts';

export class SseParser {
  /** The last id received; frames without an id do not change it. */
  lastId: string | undefined;
  /** The pause before a reconnect that the server asked for, in ms. */
  retry: number | undefined;

  #rest = '';
  #event = '';
  #id: string | undefined;
  #data: string | undefined;
  #pendingCr = false;

  push(chunk: string): Frame[] {
    const frames: Frame[] = [];
    let text = this.#rest.length > 0 ? this.#rest + chunk : chunk;
    if (this.#pendingCr && text.length > 0) {
      // A chunk may end between CR and LF: the LF that begins the next chunk is not a second line end. One after it is.
      this.#pendingCr = false;
      if (text.startsWith('\n')) text = text.slice(1);
    }
    let start = 0;
    // CR as a line end is legal and rare: if a chunk has none, each line is found by one search for LF.
    const hasCr = text.includes('\r');
    for (;;) {
      let end = text.indexOf('\n', start);
      let width = 1;
      if (hasCr) {
        const cr = text.indexOf('\r', start);
        if (cr >= 0 && (end < 0 || cr < end)) {
          end = cr;
          if (text[cr + 1] === '\n') width = 2;
          else if (cr + 1 === text.length) this.#pendingCr = true;
        }
      }
      if (end < 0) break;
      this.#line(text, start, end, frames);
      start = end + width;
    }
    this.#rest = start < text.length ? text.slice(start) : '';
    return frames;
  }

  /** Drops a frame that a lost connection cut off; the last id and the retry pause stay. */
  reset(): void {
    this.#rest = '';
    this.#event = '';
    this.#id = undefined;
    this.#data = undefined;
    this.#pendingCr = false;
  }

  #line(text: string, start: number, end: number, frames: Frame[]): void {
    if (start === end) {
      this.#dispatch(frames);
      return;
    }
    const colon = text.indexOf(':', start);
    if (colon === start) return;
    const nameEnd = colon < 0 || colon > end ? end : colon;
    const name = text.slice(start, nameEnd);
    const valueStart = nameEnd === end ? end : nameEnd + (text[nameEnd + 1] === ' ' ? 2 : 1);
    const value = text.slice(Math.min(valueStart, end), end);
    if (name === 'data') this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }

  #dispatch(frames: Frame[]): void {
    if (this.#id !== undefined) this.lastId = this.#id;
    if (this.#data !== undefined) {
      const frame: Frame = { event: this.#event, data: this.#data };
      if (this.#id !== undefined) frame.id = this.#id;
      frames.push(frame);
    }
    this.#event = '';
    this.#id = undefined;
    this.#data = undefined;
  }
}
