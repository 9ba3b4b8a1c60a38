// Bytes for many sockets: they are framed as an HTTP/1.1 chunk once, and compressed once at most.

import { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { entryBytes, writeEntry } from './frame.ts';
import { deflateApart } from './gzip.ts';

/** What a chunk is made of: an entry, or a frame that is bytes already. */
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

  /** The content without its frame, for compressors and HTTP/1.0 viewers. Most chunks are sent framed, so no chunk keeps this. */
  get body(): Buffer {
    return this.framed.subarray(this.#bodyStart, this.framed.length - CRLF);
  }

  /** Costs one allocation, and one copy of each part. */
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

  /** The compressed form, which fits anywhere between two parts of a gzip stream. All callers share it. */
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
