// What a view sends in one flush, the same bytes to all its viewers, and which part of the log it covers.

import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { Chunk } from '../wire/chunk.ts';

export interface Segment {
  /** Holds every entry of the view after `from` and up to `to`. */
  from: Position;
  to: Position;
  /** The view's count of entries that are not in the log, before and after this segment. */
  unstoredBefore: number;
  unstoredAfter: number;
  chunk: Chunk;
}
