// Reads many channels side by side, oldest or newest first, until every entry of one page is known. However many channels there
// are, about two pages are in memory at most, and other work of the event loop is done between two groups of channels.

import type { TimeSlicer } from '../../time-slicer.ts';
import type { Position } from '../position.ts';
import type { LogRecord } from '../record.ts';
import { type ChannelRead, cutoffAfter, TO_THE_END } from './page.ts';

/** Channels that are read in one round trip. The first group is smaller, because the size of the entries is not known yet. */
const GROUP = 256;
const FIRST_GROUP = 64;
/** The size that is assumed for an entry until some have been read. Nearly all entries are much smaller. */
const GUESSED_BYTES = 32_768;
/**
 * A page over very many channels may hold more entries than were asked for, up to this many bytes. Every page reads from each
 * channel at least once, so larger pages need fewer reads in all.
 */
const WIDE_PAGE_BYTES = 8_388_608;

export interface Bounds {
  /** The page ends here at the latest. */
  end: Position;
  /** Entries that are wanted. */
  limit: number;
  /** About the bytes that are wanted. */
  bytes: number;
  pace: TimeSlicer;
  /** Newest first. */
  reverse?: boolean;
}

/** Reads the next `count` entries of each channel from its `completeUpTo`; fewer only if the channel has no more. */
export type ReadMore<R extends ChannelRead> = (group: readonly R[], count: number) => Promise<LogRecord[][]>;

/**
 * Fills `reads` with the entries of one page, and returns where the page ends: every channel is complete up to there.
 * `isLast` says whether the page can need no entry of the channel beyond this record; then the channel counts as read to its end.
 *
 * The channels are read in rounds. Each round reads a few entries of every channel that is not complete up to the end of the page.
 * When more entries are known than the page needs, the end of the page is moved nearer, and entries after the end are dropped. An
 * example: three entries are wanted of channel a (1, 4, 5, …) and channel b (2, 3, 6, …), and the first round reads three entries
 * of each. The third entry of both together is 3. So the page ends at 3, and 4, 5 and 6 are dropped. Both channels are complete
 * up to 3, so there is no second round.
 */
export async function mergeRead<R extends ChannelRead>(
  reads: readonly R[],
  { end: bound, limit, bytes, pace, reverse = false }: Bounds,
  readOn: ReadMore<R>,
  isLast: (read: R, record: LogRecord) => boolean,
): Promise<Position> {
  const sign = reverse ? -1 : 1;
  const isBefore = (a: Position, b: Position) => sign * (a - b) < 0;
  let end = bound;
  let size = 0;
  let count = 0;

  const add = (read: R, records: readonly LogRecord[], asked: number) => {
    const [next] = records;
    const goesOn = !reverse && read.first !== undefined;
    // If retention drops entries between two rounds, the page ends before these entries, and the next page reports the gap. For
    // example, a round has read 101 and 103 of a channel, and the next round finds 109 with prev 107: the page ends at 103.
    const endBeforeGap = () => {
      if (isBefore(read.completeUpTo, end)) end = read.completeUpTo;
    };
    if (goesOn && next && next.prev > read.completeUpTo) return endBeforeGap();
    if (next) read.first ??= { n: next.n, prev: next.prev };
    for (const record of records) {
      read.records.push(record);
      size += record.data.length;
    }
    count += records.length;
    const furthest = records.at(-1);
    if (furthest) read.completeUpTo = furthest.n;
    const known = read.records.at(-1);
    if (known && isLast(read, known)) read.completeUpTo = sign * TO_THE_END;
    else if (records.length < asked && goesOn) endBeforeGap();
    else if (records.length < asked) read.completeUpTo = sign * TO_THE_END;
  };
  const dropAfterEnd = (read: R) => {
    let kept = read.records.length;
    while (kept > 0 && isBefore(end, (read.records[kept - 1] as LogRecord).n)) kept--;
    if (kept === read.records.length) return;
    for (const { data } of read.records.splice(kept)) {
      size -= data.length;
      count--;
    }
    read.completeUpTo = end;
  };
  const countIn = (room: number) =>
    Math.max(1, Math.floor(room / (count > 0 ? size / count : GUESSED_BYTES)));
  const wanted = () =>
    Math.max(Math.min(limit, countIn(bytes)), Math.min(reads.length, countIn(WIDE_PAGE_BYTES)));
  const cut = () => {
    const cutoff = cutoffAfter(wanted(), reads, reverse);
    if (cutoff !== undefined && isBefore(cutoff, end)) end = cutoff;
    for (const read of reads) dropAfterEnd(read);
  };

  let incomplete = reads;
  for (let least = 1; incomplete.length > 0; least *= 2) {
    const most = Math.min(limit, countIn(bytes));
    const asked = Math.min(most + 1, Math.max(least, Math.ceil((2 * most) / incomplete.length)));
    for (let from = 0; from < incomplete.length; ) {
      const group = incomplete.slice(from, from + (count === 0 ? FIRST_GROUP : GROUP));
      from += group.length;
      const chunks = await readOn(group, asked);
      group.forEach((read, i) => void add(read, chunks[i] ?? [], asked));
      await pace.pauseIfDue();
      if (count > 2 * wanted()) cut();
    }
    await pace.pauseIfDue();
    cut();
    await pace.pauseIfDue();
    incomplete = reads.filter(({ completeUpTo }) => isBefore(completeUpTo, end));
  }
  return end;
}
