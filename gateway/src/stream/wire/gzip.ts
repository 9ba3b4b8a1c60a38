// The parts of a gzip stream that many viewers share (RFC 1951, 1952): each part ends at a byte, so that parts can follow
// one another, and refers to nothing before it but to what the same `Deflater` has given since its last reset.

import { promisify } from 'node:util';
import { constants, createDeflateRaw, deflateRaw } from 'node:zlib';

/** What a stream begins with. It ends without a trailer: its checksum would be another for each viewer. */
export const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

const MAX_STORED = 0xffff;

/** Bytes as they are, for what one viewer alone is sent: no compressor is needed. At most 65,535 of them. */
export function storedBlock(bytes: Uint8Array): Buffer {
  if (bytes.length > MAX_STORED) throw new RangeError(`a stored block holds ${MAX_STORED} bytes at most`);
  const block = Buffer.allocUnsafe(5 + bytes.length);
  block[0] = 0;
  block.writeUInt16LE(bytes.length, 1);
  block.writeUInt16LE(~bytes.length & 0xffff, 3);
  block.set(bytes, 5);
  return block;
}

const deflateOnce = promisify<Buffer, object, Buffer>(deflateRaw);

/** Compresses what belongs to no sequence. */
export function deflateApart(bytes: Buffer): Promise<Buffer> {
  return deflateOnce(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
}

/** A small window saves most already at one entry a part; zlib itself needs 48 kB for it. */
const SHARED = { windowBits: 13, memLevel: 5, flush: constants.Z_SYNC_FLUSH };

/** Compresses a sequence of parts, each with what came before it since the last reset. One call at a time. */
export class Deflater {
  readonly #stream = createDeflateRaw(SHARED);
  #output: Buffer[] = [];

  constructor() {
    this.#stream.on('data', (bytes: Buffer) => this.#output.push(bytes));
  }

  /** What follows refers to nothing before: a viewer may begin here. */
  reset(): void {
    this.#stream.reset();
  }

  async deflate(bytes: Buffer): Promise<Buffer[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    await promise;
    const output = this.#output;
    this.#output = [];
    return output;
  }

  close(): void {
    this.#stream.destroy();
  }
}
