// Finds the content of a chunked HTTP response in what a socket reads. Its work grows with the chunks, not with the bytes: to
// count must cost a viewer less than the gateway's write.

const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);

export class ChunkedBody {
  /** The response's head; '' until it has arrived. */
  head = '';
  /** Bytes of content and number of chunks so far. */
  bytes = 0;
  chunks = 0;
  #headSoFar = NOTHING;
  /** How many bytes of the current chunk are still to come, its line end included. */
  #left = 0;
  #size = 0;
  #inSize = true;
  #sizeDone = false;

  /** Calls `content` with each part of the content; the bytes are valid only during the call. */
  read(data: Buffer, length: number, content?: (bytes: Buffer) => void): void {
    let at = this.head === '' ? this.#readHead(data, length) : 0;
    while (at < length) {
      if (this.#inSize) {
        at = this.#readSize(data, at, length);
      } else if (this.#left > 2) {
        const end = Math.min(length, at + this.#left - 2);
        this.bytes += end - at;
        content?.(data.subarray(at, end));
        this.#left -= end - at;
        at = end;
      } else {
        at++; // one of the two bytes that end a chunk
        if (--this.#left === 0) this.#inSize = true;
      }
    }
  }

  #readHead(data: Buffer, length: number): number {
    const before = this.#headSoFar.length;
    this.#headSoFar = Buffer.concat([this.#headSoFar, data.subarray(0, length)]);
    const end = this.#headSoFar.indexOf(HEAD_END);
    if (end < 0) return length;
    this.head = this.#headSoFar.toString('latin1', 0, end);
    this.#headSoFar = NOTHING;
    return end + HEAD_END.length - before;
  }

  #readSize(data: Buffer, from: number, length: number): number {
    for (let at = from; at < length; at++) {
      const byte = data[at] as number;
      if (byte === LF) {
        this.#left = this.#size + 2;
        this.#size = 0;
        this.#sizeDone = false;
        this.#inSize = false;
        this.chunks++;
        return at + 1;
      }
      if (byte === CR || this.#sizeDone || !isHex(byte))
        this.#sizeDone = true; // a chunk extension is ignored
      else this.#size = this.#size * 16 + ((byte & 0x0f) + (byte > 0x39 ? 9 : 0));
    }
    return length;
  }
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);
}
