// Bytes on their way to many sockets: their HTTP/1.1 framing is made once, and they are compressed at most once.

import { deflateApart } from './gzip.ts';

export class Chunk {
  /** One chunk of a chunked body. */
  readonly framed: Buffer;
  /** Its content, for HTTP/1.0 viewers. */
  readonly body: Buffer;
  #deflated: Promise<Chunk> | undefined;

  private constructor(framed: Buffer, body: Buffer) {
    this.framed = framed;
    this.body = body;
  }

  /** One allocation, and one copy of each frame. */
  static of(frames: readonly Uint8Array[]): Chunk {
    let bytes = 0;
    for (const { length } of frames) bytes += length;
    const size = `${bytes.toString(16)}\r\n`;
    const framed = Buffer.allocUnsafe(size.length + bytes + CRLF);
    let at = framed.write(size, 0, 'latin1');
    for (const frame of frames) {
      framed.set(frame, at);
      at += frame.length;
    }
    framed[at] = 0x0d;
    framed[at + 1] = 0x0a;
    return new Chunk(framed, framed.subarray(size.length, at));
  }

  /** The same in a form that fits anywhere between two flushes of a gzip stream; made once, for all who ask. */
  deflated(): Promise<Chunk> {
    this.#deflated ??= deflateApart(this.body).then((bytes) => Chunk.of([bytes]));
    return this.#deflated;
  }
}

const CRLF = 2;

/** The chunk that ends a chunked body. */
export const LAST_CHUNK = Buffer.from('0\r\n\r\n');
