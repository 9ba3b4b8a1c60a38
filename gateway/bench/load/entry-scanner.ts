// Reads every entry of one viewer's stream by its mark: how old it is, and whether it is the next in order. It also adds up
// how many entries `gap` frames report as missing.

import { MARK, MARK_BYTES, NUMBER_DIGITS, nowMicroseconds, STAMP_DIGITS } from '../entry-text.ts';
import type { Histogram } from '../histogram.ts';

const NOTHING = Buffer.alloc(0);
const GAP = 'event: gap';
const FRAME_END = '\n\n';

export class EntryScanner {
  entries = 0;
  /** Numbers that were skipped, came twice, or came after a later one. */
  lost = 0;
  repeated = 0;
  /** What gap frames have reported; `unknown` counts gaps that do not say how many entries are missing. */
  gaps = 0;
  missed = 0;
  unknown = 0;
  #last = 0;
  #carry = NOTHING;
  #gapCarry = NOTHING;
  readonly #latencies: Histogram;

  constructor(latencies: Histogram) {
    this.#latencies = latencies;
  }

  /** Sets the counts to 0; the order of entries is still checked across this call. */
  begin(): void {
    this.entries = this.lost = this.repeated = this.gaps = this.missed = this.unknown = 0;
  }

  feed(bytes: Buffer): void {
    const data = this.#carry.length > 0 ? Buffer.concat([this.#carry, bytes]) : bytes;
    const now = nowMicroseconds();
    let next = 0;
    for (let at = data.indexOf(MARK); at >= 0; at = data.indexOf(MARK, next)) {
      next = at;
      if (at + MARK_BYTES > data.length) break;
      this.#entry(data, at + MARK.length, now);
      next = at + MARK_BYTES;
    }
    this.#carry = Buffer.from(data.subarray(Math.max(next, data.length - MARK_BYTES + 1)));
    this.#findGaps(bytes);
  }

  #entry(data: Buffer, at: number, now: number): void {
    this.entries++;
    this.#latencies.record(now - digits(data, at, STAMP_DIGITS));
    const number = digits(data, at + STAMP_DIGITS + 1, NUMBER_DIGITS);
    if (number <= this.#last) {
      this.repeated++;
      return;
    }
    this.lost += number - this.#last - 1;
    this.#last = number;
  }

  #findGaps(bytes: Buffer): void {
    const data = this.#gapCarry.length > 0 ? Buffer.concat([this.#gapCarry, bytes]) : bytes;
    let next = Math.max(0, data.length - GAP.length + 1);
    for (let at = data.indexOf(GAP); at >= 0; at = data.indexOf(GAP, at + GAP.length)) {
      const end = data.indexOf(FRAME_END, at);
      if (end < 0) {
        next = at;
        break;
      }
      this.gaps++;
      const missed = /"missed":(\d+)/.exec(data.toString('latin1', at, end))?.[1];
      if (missed === undefined) this.unknown++;
      else this.missed += Number(missed);
      next = Math.max(next, end);
    }
    this.#gapCarry = Buffer.from(data.subarray(next));
  }
}

function digits(data: Buffer, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i++) value = value * 10 + ((data[i] as number) - 0x30);
  return value;
}
