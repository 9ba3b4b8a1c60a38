// A page of the log as viewers get it: filtered, encoded, and cut into blocks that are small enough to wait in the socket of a
// viewer that does not read.

import type { Gap, Page } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Filter } from '../query/filter.ts';
import { Chunk } from '../wire/chunk.ts';
import { entryBytes } from '../wire/frame.ts';

/**
 * About how many bytes wait in the socket of a viewer that does not read. They may be in memory once for each such viewer, because
 * viewers share a block only if they ask for the same.
 */
export const BLOCK_BYTES = 131_072;
/** A block covers this many entries at most, however few of them pass the filter: a search can give up after each block. */
const BLOCK_ENTRIES = 500;

/** A part of history; all viewers who read the same share it. */
export interface HistoryBlock {
  /** All gaps after the block's beginning, also those beyond its end. They are reported before its entries, each once. */
  gaps: readonly Gap[];
  /** The frames of the entries that pass; null if none does. */
  chunk: Chunk | null;
  /** How many entries pass. */
  entries: number;
  /** By the position of each entry: where its frame ends in the body of the chunk. */
  ends: ReadonlyMap<Position, number>;
  /** How many entries were read to find those that pass. */
  scanned: number;
  /** The next block begins after this position. */
  next: Position;
  done: boolean;
}

/** Cuts a page that was read after `after` into blocks, one at least. Each begins where the one before it ends. */
export async function toHistoryBlocks(
  { items, next, done }: Page,
  after: Position,
  filter: Filter | null,
  slicer: TimeSlicer,
): Promise<[HistoryBlock, ...HistoryBlock[]]> {
  const gaps = items.flatMap(({ gap }) => gap ?? []);
  const complete: HistoryBlock[] = [];
  let passing: LogRecord[] = [];
  let ends = new Map<Position, number>();
  let [bytes, scanned, last] = [0, 0, after];
  const endBlock = (upTo: Position, isLast: boolean): HistoryBlock => ({
    gaps: complete.length === 0 ? gaps : gapsAfter(complete.at(-1)?.next ?? after, gaps),
    chunk: passing.length > 0 ? Chunk.of(passing) : null,
    entries: passing.length,
    ends,
    scanned,
    next: upTo,
    done: isLast && done,
  });
  const addRecord = (record: LogRecord) => {
    if (bytes >= BLOCK_BYTES || scanned >= BLOCK_ENTRIES) {
      complete.push(endBlock(last, false));
      [passing, ends] = [[], new Map()];
      [bytes, scanned] = [0, 0];
    }
    scanned++;
    last = record.n;
    if (filter !== null && !filter(record)) return;
    passing.push(record);
    bytes += entryBytes(record);
    ends.set(record.n, bytes);
  };
  for (const { record } of items) {
    if (!record) continue;
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
    addRecord(record);
  }
  const [first, ...others] = [...complete, endBlock(next, true)];
  return [first as HistoryBlock, ...others];
}

/**
 * The gaps that the log would report to a reader after `position`. An example: of a gap with `after` 101 and `before` 104, a
 * reader at 102 gets `after` 102, and a reader at 103 gets nothing, since nothing between 103 and 104 is missing.
 */
function gapsAfter(position: Position, gaps: readonly Gap[]): Gap[] {
  return gaps.flatMap((gap) => {
    return gap.before > position + 1 ? { ...gap, after: Math.max(gap.after, position) } : [];
  });
}
