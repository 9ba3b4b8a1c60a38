// The recent segments of a view, for viewers that are behind. The content of small ones is copied into two pieces of memory
// that take turns: a buffer each would have the garbage collector stop everybody, again and again, to look after it.

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { Chunk } from '../wire/chunk.ts';
import type { Segment } from './segment.ts';

/** Small segments are handed out joined, about so many bytes at a time: what a viewer that does not drain holds of its own. */
const HANDED_BYTES = 16_384;

/** A small segment's content lies in a piece's memory, from `start` to `end`. */
interface KeptSegment extends Omit<Segment, 'chunk'> {
  start: number;
  end: number;
  /** A large segment's own: handed out as it is, to all. */
  chunk: Chunk | undefined;
}

class Arena {
  bytes: Buffer;
  readonly kept: KeptSegment[] = [];
  /** Bytes kept, and those of them that lie in `bytes`. */
  size = 0;
  used = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  keep({ chunk, ...segment }: Segment, most: number): void {
    const { body } = chunk;
    this.size += body.length;
    const start = this.used;
    if (body.length >= HANDED_BYTES) {
      this.kept.push({ ...segment, start, end: start, chunk });
      return;
    }
    const end = start + body.length;
    if (end > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, Math.min(most, end * 2)));
      this.bytes.copy(larger, 0, 0, start);
      this.bytes = larger;
    }
    this.bytes.set(body, start);
    this.used = end;
    this.kept.push({ ...segment, start, end, chunk: undefined });
  }
}

const NOTHING = Buffer.alloc(0);

export class SegmentRing {
  #older: Arena | undefined;
  #newer = new Arena(NOTHING);
  /** What was joined since the last segment came, by its first: for all who stand at the same place. */
  readonly #joined = new Map<KeptSegment, Segment>();

  /** Keeps about `limit` bytes at most, once it is full half of that at least, and the newest segment always. */
  keep(segment: Segment, limit: number): void {
    this.#joined.clear();
    const half = Math.floor(limit / 2);
    if (this.#newer.size > 0 && this.#newer.size + segment.chunk.framed.length > half) {
      // What was handed out of the older piece is a copy, so that its memory can be written anew.
      const free = this.#older?.bytes ?? NOTHING;
      this.#older = this.#newer;
      this.#newer = new Arena(free.length <= half ? free : NOTHING);
    }
    this.#newer.keep(segment, half);
  }

  /** Forgets all; some memory stays for what comes next. */
  clear(): void {
    this.#joined.clear();
    this.#older = undefined;
    if (this.#newer.size > 0) this.#newer = new Arena(this.#newer.bytes);
  }

  /**
   * The oldest segment, joined with some that follow it, that a viewer at `cursor` can take now or after reading history
   * up to its start, and that brings it on: a ping's segment may end where it begins, and would be taken for ever.
   */
  segmentAfter(cursor: Position): Segment | undefined {
    return (this.#older && this.#handOut(this.#older, cursor)) ?? this.#handOut(this.#newer, cursor);
  }

  #handOut({ bytes, kept }: Arena, cursor: Position): Segment | undefined {
    const at = indexFor(kept, cursor);
    const first = kept[at];
    if (!first) return undefined;
    const known = this.#joined.get(first);
    if (known) return known;
    let last = first;
    // Up to a boundary that is the same for all, so that those who began at different places soon stand at the same.
    const boundary = (Math.floor(first.start / HANDED_BYTES) + 1) * HANDED_BYTES;
    for (let i = at + 1; i < kept.length && !last.chunk && last.end < boundary; i++) {
      const next = kept[i] as KeptSegment;
      if (next.chunk) break;
      last = next;
    }
    const segment: Segment = {
      from: first.from,
      to: last.to,
      unstoredBefore: first.unstoredBefore,
      unstoredAfter: last.unstoredAfter,
      chunk: first.chunk ?? Chunk.of([bytes.subarray(first.start, last.end)]),
    };
    this.#joined.set(first, segment);
    return segment;
  }
}

function indexFor(kept: readonly KeptSegment[], cursor: Position): number {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { from, to } = kept[middle] as KeptSegment;
    if (from < cursor || to <= cursor) low = middle + 1;
    else high = middle;
  }
  return low;
}
