// The recent segments of a view, for viewers that are behind: copied into two pieces of memory that take turns. Nothing
// that waits here is an object of the garbage collector's, which would stop everybody to look after it.

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { Chunk } from './chunk.ts';
import type { Segment } from './segment.ts';

/** About what is handed out at a time: a viewer that does not drain holds so much of its own. */
const HANDED_BYTES = 16_384;

/** A segment whose content lies in a piece's memory, from `start` to `end`. */
interface Kept extends Omit<Segment, 'chunk'> {
  start: number;
  end: number;
}

class Piece {
  readonly kept: Kept[] = [];
  bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get used(): number {
    return this.kept.at(-1)?.end ?? 0;
  }

  add({ chunk: { body }, ...segment }: Segment, most: number): void {
    const start = this.used;
    const end = start + body.length;
    if (end > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, Math.min(most, end * 2)));
      this.bytes.copy(larger, 0, 0, start);
      this.bytes = larger;
    }
    this.bytes.set(body, start);
    this.kept.push({ ...segment, start, end });
  }
}

const NOTHING = Buffer.alloc(0);

export class SegmentRing {
  #older: Piece | undefined;
  #newer = new Piece(NOTHING);

  /** Keeps `limit` bytes at most, once it is full half of that at least, and the newest segment always. */
  add(segment: Segment, limit: number): void {
    const half = Math.floor(limit / 2);
    if (this.#newer.used > 0 && this.#newer.used + segment.chunk.framed.length > half) {
      // What was handed out of the older piece is a copy, so that its memory can be written anew.
      const free = this.#older?.bytes ?? NOTHING;
      this.#older = this.#newer;
      this.#newer = new Piece(free.length <= half ? free : NOTHING);
    }
    this.#newer.add(segment, half);
  }

  clear(): void {
    this.#older = undefined;
    this.#newer = new Piece(NOTHING);
  }

  /**
   * The oldest segment, joined with some that follow it, that a viewer at `cursor` can take now or after reading history
   * up to its start, and that brings it on: a ping's segment may end where it begins, and would be taken for ever. Its
   * chunk must be taken before anything is added.
   */
  find(cursor: Position): Segment | undefined {
    return (this.#older && handOut(this.#older, cursor)) ?? handOut(this.#newer, cursor);
  }
}

function handOut({ bytes, kept }: Piece, cursor: Position): Segment | undefined {
  const at = indexFor(kept, cursor);
  const first = kept[at];
  if (!first) return undefined;
  let last = first;
  for (let i = at + 1; i < kept.length; i++) {
    const next = kept[i] as Kept;
    if (next.end - first.start > HANDED_BYTES) break;
    last = next;
  }
  return {
    from: first.from,
    first: first.first,
    to: last.to,
    unnumberedBefore: first.unnumberedBefore,
    unnumberedAfter: last.unnumberedAfter,
    get chunk() {
      return Chunk.of([bytes.subarray(first.start, last.end)]);
    },
  };
}

function indexFor(kept: readonly Kept[], cursor: Position): number {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { first, to } = kept[middle] as Kept;
    if (first < cursor || to <= cursor) low = middle + 1;
    else high = middle;
  }
  return low;
}
