// Bytes on their way to many sockets: their HTTP/1.1 framing is made once, and they are compressed at most once.

import { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { entryBytes, writeEntry } from './frame.ts';
import { deflateApart } from './gzip.ts';

/** An entry, or bytes as they are. */
export type Part = LogRecord | Uint8Array;

export class Chunk {
  /** One chunk of a chunked body. */
  readonly framed: Buffer;
  readonly #bodyStart: number;
  #deflated: Promise<Chunk> | undefined;

  private constructor(framed: Buffer, bodyStart: number) {
    this.framed = framed;
    this.#bodyStart = bodyStart;
  }

  /** Its content, for compressors and HTTP/1.0 viewers; not kept, since most chunks go out framed. */
  get body(): Buffer {
    return this.framed.subarray(this.#bodyStart, this.framed.length - CRLF);
  }

  /** One allocation, and one copy of each entry or frame. */
  static of(parts: readonly Part[]): Chunk {
    let bytes = 0;
    for (const part of parts) bytes += bytesOf(part);
    const size = `${bytes.toString(16)}\r\n`;
    const framed = Buffer.allocUnsafe(size.length + bytes + CRLF);
    let at = framed.write(size, 0, 'latin1');
    for (const part of parts) {
      if (part instanceof LogRecord) {
        at = writeEntry(part, framed, at);
      } else {
        framed.set(part, at);
        at += part.length;
      }
    }
    framed[at] = 0x0d;
    framed[at + 1] = 0x0a;
    return new Chunk(framed, size.length);
  }

  /** The same in a form that fits anywhere between two flushes of a gzip stream; made once, for all who ask. */
  deflated(): Promise<Chunk> {
    this.#deflated ??= deflateApart(this.body).then((bytes) => Chunk.of([bytes]));
    return this.#deflated;
  }
}

const CRLF = 2;

function bytesOf(part: Part): number {
  return part instanceof LogRecord ? entryBytes(part) : part.length;
}

/** The chunk that ends a chunked body. */
export const LAST_CHUNK = Buffer.from('0\r\n\r\n');
