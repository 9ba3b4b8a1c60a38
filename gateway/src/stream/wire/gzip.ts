// The parts of gzip streams that many viewers share (RFC 1951, 1952). Each part ends on a byte boundary, so that another part
// can follow, and refers back at most to parts that the same `Deflater` has given since its last reset.

import { promisify } from 'node:util';
import { constants, createDeflateRaw, deflateRaw } from 'node:zlib';

/** What a gzip stream begins with. It ends without a trailer, since the checksum would be different for each viewer. */
export const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

const MAX_STORED = 0xffff;

/** Up to 65,535 bytes without compression, for what is sent to one viewer only: it needs no compressor. */
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

/** Compresses bytes by themselves; the result refers to nothing before it. */
export function deflateApart(bytes: Buffer): Promise<Buffer> {
  return deflateOnce(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
}

/**
 * With one entry in each part, a small window already saves most: 41 bytes a frame instead of 309 (RESULTS.md). zlib takes 48 kB
 * for a window of this size.
 */
const SHARED = { windowBits: 13, memLevel: 5, flush: constants.Z_SYNC_FLUSH };

/** Compresses a sequence of parts, each of which may refer to the parts since the last reset. Takes one call at a time. */
export class Deflater {
  readonly #stream = createDeflateRaw(SHARED);
  #output: Buffer[] = [];

  constructor() {
    this.#stream.on('data', (bytes: Buffer) => this.#output.push(bytes));
  }

  /** The next part refers to nothing before it, so that a viewer can begin there. */
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
