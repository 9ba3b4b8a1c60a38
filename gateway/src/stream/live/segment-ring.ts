// The recent segments of a view, for viewers that lag. The content of small segments is copied into two large buffers that are
// filled alternately. With a buffer for each segment the garbage collector ran a mark-compact every second, and the p99 of all
// viewers doubled (RESULTS.md, "p99 beside slow viewers").

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { Chunk } from '../wire/chunk.ts';
import type { Segment } from './segment.ts';

/** Small segments are handed out joined to about this size, so that a viewer whose socket is full holds little of its own. */
const JOINED_BYTES = 16_384;

/** The content of a small segment lies in its arena's bytes, from `start` to `end`. */
interface KeptSegment extends Omit<Segment, 'chunk'> {
  start: number;
  end: number;
  /** Only a large segment keeps its own chunk, which all viewers get as it is. */
  chunk: Chunk | undefined;
}

/** One of the two buffers, with the segments in it. */
class Arena {
  bytes: Buffer;
  readonly kept: KeptSegment[] = [];
  /** How many bytes all kept segments have. */
  size = 0;
  /** How many of these lie in `bytes`; the others are in large segments with a chunk of their own. */
  used = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  keep({ chunk, ...segment }: Segment, limit: number): void {
    const { body } = chunk;
    this.size += body.length;
    const start = this.used;
    if (body.length >= JOINED_BYTES) {
      this.kept.push({ ...segment, start, end: start, chunk });
      return;
    }
    const end = start + body.length;
    if (end > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, Math.min(limit, end * 2)));
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
  /** Joined segments, by their first one, since the last segment was kept: viewers with the same cursor share them. */
  readonly #joined = new Map<KeptSegment, Segment>();

  /** Keeps a segment. Of the earlier ones about `limit` bytes stay at most, and at least half of that; the newest always stays. */
  keep(segment: Segment, limit: number): void {
    this.#joined.clear();
    const half = Math.floor(limit / 2);
    if (this.#newer.size > 0 && this.#newer.size + segment.chunk.framed.length > half) {
      // The older buffer can be overwritten, because viewers were given copies of what was in it.
      const free = this.#older?.bytes ?? NOTHING;
      this.#older = this.#newer;
      this.#newer = new Arena(free.length <= half ? free : NOTHING);
    }
    this.#newer.keep(segment, half);
  }

  /** Forgets all segments, and keeps one buffer for the next ones. */
  clear(): void {
    this.#joined.clear();
    this.#older = undefined;
    if (this.#newer.size > 0) this.#newer = new Arena(this.#newer.bytes);
  }

  /**
   * The oldest segment, joined with some that follow it, that begins at `cursor` or later and ends after it. An example: with
   * segments (100, 104] and (104, 110], a viewer at 104 gets the second one, and a viewer at 102 as well, once it has read 103
   * and 104 from history. A segment that holds only a ping may end where it begins; the viewer would get it again and again.
   */
  segmentAfter(cursor: Position): Segment | undefined {
    return (this.#older && this.#joinedFrom(this.#older, cursor)) ?? this.#joinedFrom(this.#newer, cursor);
  }

  #joinedFrom({ bytes, kept }: Arena, cursor: Position): Segment | undefined {
    const at = indexAfter(kept, cursor);
    const first = kept[at];
    if (!first) return undefined;
    const known = this.#joined.get(first);
    if (known) return known;
    let last = first;
    // Segments are joined up to a boundary that does not depend on the cursor, so that viewers with different cursors soon have the
    // same cursor, and share what is joined.
    const boundary = (Math.floor(first.start / JOINED_BYTES) + 1) * JOINED_BYTES;
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

/** Binary search for the first segment that begins at `cursor` or later and ends after it. */
function indexAfter(kept: readonly KeptSegment[], cursor: Position): number {
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
