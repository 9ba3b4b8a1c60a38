// A page of the log as viewers get it: encoded, in stretches that each fit what a viewer that does not drain may hold.

import type { Gap, Page } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Filter } from '../query/filter.ts';
import { Chunk } from '../wire/chunk.ts';
import { entryBytes } from '../wire/frame.ts';

/** About what a viewer that does not drain may hold of its own: history is not shared as a view's segments are. */
export const BLOCK_BYTES = 131_072;
/** Looked at for one stretch, however few a filter passes: a search may give up after each. */
const BLOCK_ENTRIES = 500;

/** For whoever reads the same. */
export interface HistoryBlock {
  /** What is missing, also behind this stretch: to be told before its entries, unless that was done. */
  gaps: readonly Gap[];
  chunk: Chunk | null;
  entries: number;
  /** Where each entry ends in the chunk's body. */
  ends: ReadonlyMap<Position, number>;
  /** Entries read to find these. */
  scanned: number;
  /** Where the next stretch begins. */
  next: Position;
  done: boolean;
}

/** At least one; each begins where the one before it ends. `after`: where the page was asked for. */
export async function toHistoryBlocks(
  { items, next, done }: Page,
  after: Position,
  filter: Filter | null,
  pace: TimeSlicer,
): Promise<[HistoryBlock, ...HistoryBlock[]]> {
  const gaps = items.flatMap(({ gap }) => gap ?? []);
  const complete: HistoryBlock[] = [];
  let passing: LogRecord[] = [];
  let ends = new Map<Position, number>();
  let [bytes, scanned, last] = [0, 0, after];
  const end = (upTo: Position, isLast: boolean): HistoryBlock => ({
    gaps: complete.length === 0 ? gaps : gapsAfter(complete.at(-1)?.next ?? after, gaps),
    chunk: passing.length > 0 ? Chunk.of(passing) : null,
    entries: passing.length,
    ends,
    scanned,
    next: upTo,
    done: isLast && done,
  });
  const look = (record: LogRecord) => {
    if (bytes >= BLOCK_BYTES || scanned >= BLOCK_ENTRIES) {
      complete.push(end(last, false));
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
    const turn = pace.pauseIfDue();
    if (turn) await turn;
    look(record);
  }
  const [first, ...others] = [...complete, end(next, true)];
  return [first as HistoryBlock, ...others];
}

/** As the log would tell whoever asked it from `position` on. */
function gapsAfter(position: Position, gaps: readonly Gap[]): Gap[] {
  return gaps.flatMap((gap) => {
    return gap.before > position + 1 ? { ...gap, after: Math.max(gap.after, position) } : [];
  });
}
