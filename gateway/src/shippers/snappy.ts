// Unpacks raw Snappy, in which senders of Loki's protocol pack their protobuf. The length that the body claims is checked before any
// memory is taken for it; and unpacking pauses, so that 16 MiB of the shortest copies hold the event loop for 5 ms at a time.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { tooLarge } from './unpack.ts';

/** No element gives more than this for each of its bytes: three bytes copy 64. */
const MAX_RATIO = 22;
const ELEMENTS_PER_LOOK = 8_192;

/** @throws CodedError `body_too_large` or `invalid_body` */
export async function unsnappy(packed: Buffer, maxBytes: number, slicer: TimeSlicer): Promise<Buffer> {
  const { value: length, next } = varint(packed);
  if (length > maxBytes) throw tooLarge(maxBytes);
  if (length > packed.length * MAX_RATIO) throw broken();
  const decoder = new Decoder(packed, next, Buffer.allocUnsafe(length));
  while (!decoder.step(ELEMENTS_PER_LOOK)) {
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
  }
  return decoder.output;
}

function varint(bytes: Buffer): { value: number; next: number } {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: i + 1 };
  }
  throw broken();
}

class Decoder {
  readonly output: Buffer;
  readonly #packed: Buffer;
  #at: number;
  #written = 0;

  constructor(packed: Buffer, at: number, output: Buffer) {
    this.#packed = packed;
    this.#at = at;
    this.output = output;
  }

  /** Unpacks some elements. True when all is done. */
  step(elements: number): boolean {
    for (let i = 0; i < elements; i++) {
      if (this.#at === this.#packed.length) {
        // Otherwise the end of the output would be what the memory held before.
        if (this.#written !== this.output.length) throw broken();
        return true;
      }
      this.#element();
    }
    return false;
  }

  /** The two lowest bits of the first byte say what the element is, the others how long it is. */
  #element(): void {
    const tag = this.#byte();
    const length = (tag >> 2) + 1;
    switch (tag & 3) {
      case 0:
        this.#literal(length <= 60 ? length : this.#number(length - 60) + 1);
        break;
      case 1:
        this.#copy(((tag >> 5) << 8) | this.#byte(), ((tag >> 2) & 7) + 4);
        break;
      case 2:
        this.#copy(this.#number(2), length);
        break;
      default:
        this.#copy(this.#number(4), length);
    }
  }

  #literal(length: number): void {
    const end = this.#at + length;
    if (end > this.#packed.length || this.#written + length > this.output.length) throw broken();
    this.#packed.copy(this.output, this.#written, this.#at, end);
    this.#at = end;
    this.#written += length;
  }

  /** Byte by byte, because a copy may reach into what it writes itself. */
  #copy(back: number, length: number): void {
    const from = this.#written - back;
    if (back === 0 || from < 0 || this.#written + length > this.output.length) throw broken();
    const { output } = this;
    for (let i = 0; i < length; i++) output[this.#written + i] = output[from + i] as number;
    this.#written += length;
  }

  #byte(): number {
    const byte = this.#packed[this.#at++];
    if (byte === undefined) throw broken();
    return byte;
  }

  #number(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += this.#byte() * 2 ** (8 * i);
    return value;
  }
}

function broken(): CodedError {
  return new CodedError('invalid_body', 'the body is not Snappy');
}
