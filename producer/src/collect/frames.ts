// Takes the engine's log of a container without a terminal apart: each frame is a header of 8 bytes (the output, three zeros, the
// length) and a piece of text. Chunks may end anywhere. Memory is bounded by the largest frame.

const HEADER_BYTES = 8;
/** Docker's own frames hold at most 16 KiB of text, other engines' a whole line. */
const MAX_FRAME_BYTES = 4 * 1_048_576;
/** The engine's own words, such as an error in the middle of a log. */
const SYSTEM = 3;

export class NotFrames extends Error {}

export class FrameReader {
  readonly #onFrame: (output: 'stdout' | 'stderr' | 'system', payload: Buffer) => void;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #needed = HEADER_BYTES;

  constructor(onFrame: (output: 'stdout' | 'stderr' | 'system', payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws NotFrames for bytes that are no frames. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#needed) return;
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let at = 0;
    for (;;) {
      this.#needed = HEADER_BYTES;
      if (all.length - at < HEADER_BYTES) break;
      const length = lengthOfFrame(all, at);
      this.#needed = HEADER_BYTES + length;
      if (all.length - at < this.#needed) break;
      const start = at + HEADER_BYTES;
      at = start + length;
      const type = all[start - HEADER_BYTES];
      this.#onFrame(type === 2 ? 'stderr' : type === SYSTEM ? 'system' : 'stdout', all.subarray(start, at));
    }
    this.#chunks = at < all.length ? [all.subarray(at)] : [];
    this.#bytes = all.length - at;
  }
}

function lengthOfFrame(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + 4);
  const isHeader = (bytes[at] as number) <= SYSTEM && bytes.readUIntBE(at + 1, 3) === 0;
  if (!isHeader) throw new NotFrames('what the engine sends is no log in frames');
  if (length > MAX_FRAME_BYTES) throw new NotFrames(`a frame of ${length} bytes is too large`);
  return length;
}
