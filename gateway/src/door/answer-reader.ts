// Reads along while an answer passes: unpacks a copy of its bytes, and takes from it what the log shows. It never delays the answer:
// what it cannot read in time, or within its bounds, is given up, and said.

import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { holdsMoreThan, isDeeperThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { Dialect } from './dialects.ts';
import type { Reading } from './reading.ts';

/** Bytes that wait to be read, of one answer. */
const MAX_WAITING = 1_048_576;
/** Bytes of one answer, unpacked. */
const MAX_BYTES = 2 ** 27;
/** UTF-16 units of one event, or of an answer that is not streamed. */
const MAX_TEXT = 2 ** 18;
/** UTF-16 units at the end of an answer without texts: its figures stand there. */
const MAX_TAIL = 4_096;
/** Bytes that are read at once. */
const SLICE = 8_192;
const MAX_LEVELS = 64;
const SENTINEL = '[DONE]';

const UNPACKERS: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress as () => ReturnType<typeof createGunzip>,
  zstd: createZstdDecompress as () => ReturnType<typeof createGunzip>,
};

/** One for all answers of the process, since they share the event loop. */
const slicer = new TimeSlicer();

export interface AnswerForm {
  /** Whether it is a stream of events. */
  isStream: boolean;
  /** The header `Content-Encoding`. */
  packing: string;
}

export class AnswerReader {
  readonly #dialect: Dialect;
  readonly #reading: Reading;
  readonly #isStream: boolean;
  readonly #decoder = new TextDecoder();
  readonly #parser: EventSourceParser;
  readonly #unpacker: ReturnType<typeof createGunzip> | undefined;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #bytes = 0;
  #text = '';
  #isWorking = false;
  #isComplete = false;
  #isGivenUp = false;
  readonly #done = Promise.withResolvers<void>();

  constructor(dialect: Dialect, reading: Reading, { isStream, packing }: AnswerForm) {
    this.#dialect = dialect;
    this.#reading = reading;
    this.#isStream = isStream;
    this.#parser = createParser({
      maxBufferSize: MAX_TEXT,
      onEvent: ({ data }) => this.#event(data),
      onError: ({ type: kind }) => {
        if (kind === 'max-buffer-size-exceeded') this.#giveUp();
      },
    });
    const name = packing.trim().toLowerCase();
    if (name === '' || name === 'identity') return;
    const unpacker = Object.hasOwn(UNPACKERS, name) ? UNPACKERS[name]?.() : undefined;
    if (!unpacker) {
      this.#giveUp();
      return;
    }
    this.#unpacker = unpacker;
    unpacker.on('data', (piece: Buffer) => {
      this.#queue(piece);
      if (this.#waitingBytes > MAX_WAITING / 2) unpacker.pause();
    });
    unpacker.once('end', () => this.#complete());
    unpacker.once('error', () => this.#giveUp());
  }

  /** True if the answer, or a part of it, could not be read. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** A copy of a piece that has passed. Never throws, never waits. */
  push(piece: Buffer): void {
    if (this.#isGivenUp) return;
    if (!this.#unpacker) this.#queue(piece);
    else if (this.#unpacker.writableLength + piece.length > MAX_WAITING) this.#giveUp();
    else this.#unpacker.write(piece);
  }

  /** No more pieces come. Resolves when those that have come are read. */
  end(): Promise<void> {
    if (this.#unpacker) this.#unpacker.end();
    else this.#complete();
    return this.#done.promise;
  }

  #queue(piece: Buffer): void {
    if (this.#isGivenUp) return;
    this.#bytes += piece.length;
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes > MAX_WAITING || this.#bytes > MAX_BYTES) {
      this.#giveUp();
      return;
    }
    this.#waiting.push(piece);
    if (!this.#isWorking) this.#work().catch(() => this.#giveUp());
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let piece = this.#waiting.shift(); piece !== undefined; piece = this.#waiting.shift()) {
      // What is only kept takes no time.
      const slice = this.#isStream ? SLICE : piece.length;
      for (let at = 0; at < piece.length && !this.#isGivenUp; at += slice) {
        if (at > 0) await slicer.pauseIfDue();
        this.#feed(this.#decoder.decode(piece.subarray(at, at + slice), { stream: true }));
      }
      this.#waitingBytes -= piece.length;
      if (this.#unpacker?.isPaused()) this.#unpacker.resume();
      if (this.#waiting.length > 0) await slicer.pauseIfDue();
    }
    this.#isWorking = false;
    if (this.#isComplete) this.#finish();
  }

  #feed(text: string): void {
    if (this.#isStream) {
      this.#parser.feed(text);
      return;
    }
    this.#text += text;
    if (!this.#dialect.hasText) this.#text = this.#text.slice(-MAX_TAIL);
    else if (this.#text.length > MAX_TEXT) this.#giveUp();
  }

  #event(data: string): void {
    if (this.#isGivenUp) return;
    if (data.trim() === SENTINEL) this.#reading.isEnded = true;
    else this.#read(data, (value) => this.#dialect.chunk(this.#reading, value));
  }

  #read(text: string, take: (value: Record<string, unknown>) => void): void {
    if (holdsMoreThan(MAX_ENTRY_VALUES, text) || isDeeperThan(MAX_LEVELS, text)) {
      this.#giveUp();
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return; // the client judges it
    }
    if (typeof value === 'object' && value !== null) take(value as Record<string, unknown>);
  }

  #complete(): void {
    this.#isComplete = true;
    if (!this.#isWorking) this.#finish();
  }

  #finish(): void {
    if (!this.#isStream && !this.#isGivenUp) {
      const text = this.#dialect.hasText ? this.#text : figuresIn(this.#text);
      try {
        this.#read(text, (value) => this.#dialect.whole(this.#reading, value));
      } catch {
        this.#giveUp(); // whatever a service sends, reading along ends nothing else
      }
    }
    this.#done.resolve();
  }

  #giveUp(): void {
    this.#isGivenUp = true;
    this.#waiting.length = 0;
    this.#text = '';
    this.#unpacker?.destroy();
    this.#done.resolve();
  }
}

/** An object with the model and the usage that stand at the end of an answer of numbers, whose beginning was dropped. */
function figuresIn(tail: string): string {
  const usage = /"usage"\s*:\s*(\{[^{}]*\})/.exec(tail)?.[1] ?? '{}';
  const model = /"model"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(tail)?.[1] ?? '""';
  return `{"usage":${usage},"model":${model}}`;
}
