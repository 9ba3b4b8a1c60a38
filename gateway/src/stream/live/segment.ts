// What a view hands out at one flush: the same bytes for all viewers, and the part of the log that they cover. Segments touch,
// so that a viewer at the end of one needs exactly the next.

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { Chunk } from '../wire/chunk.ts';

export interface Segment {
  /** The segment holds every entry of the view with `from` < n ≤ `to`. */
  from: Position;
  to: Position;
  /** How many entries that are not stored the view had counted, before this segment and after it. */
  unstoredBefore: number;
  unstoredAfter: number;
  chunk: Chunk;
}
