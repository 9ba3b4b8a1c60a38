// Reads many channels side by side, oldest or newest first, until what a page needs is known of all of them. Holds no more
// than about two pages, however many channels there are, and lets others read between two groups.

import type { TimeSlicer } from '../../time-slicer.ts';
import type { Position } from '../position.ts';
import type { LogRecord } from '../record.ts';
import { type ChannelRead, cutoffAfter, TO_THE_END } from './page.ts';

/** Channels read in one round trip, and in the first one, before which nobody knows how large the entries are. */
const GROUP = 256;
const FIRST_GROUP = 64;
/** What an entry is taken to need until some have been read: nearly all need far less. */
const GUESSED_BYTES = 32_768;
/** A page over very many channels holds more than was asked for, up to so many bytes: each sweep over them is dear. */
const WIDE_PAGE_BYTES = 8_388_608;

export interface Bounds {
  /** Where the page ends at the latest. */
  end: Position;
  /** Entries that are wanted. */
  limit: number;
  /** Bytes that are wanted, about. */
  bytes: number;
  pace: TimeSlicer;
  /** Towards the oldest. */
  reverse?: boolean;
}

/** The next `count` entries of each channel behind its reach, fewer only where there are no more. */
export type ReadMore<R extends ChannelRead> = (group: readonly R[], count: number) => Promise<LogRecord[][]>;

/**
 * Fills the readings; what lies behind the page is let go of. Returns where the page ends: no reading's reach is less.
 * `isWhole`: whether nothing that matters lies behind a channel's record.
 */
export async function mergeRead<R extends ChannelRead>(
  readings: readonly R[],
  { end: bound, limit, bytes, pace, reverse = false }: Bounds,
  readOn: ReadMore<R>,
  isWhole: (reading: R, record: LogRecord) => boolean,
): Promise<Position> {
  const sign = reverse ? -1 : 1;
  const isBefore = (a: Position, b: Position) => sign * (a - b) < 0;
  let end = bound;
  let size = 0;
  let count = 0;

  const take = (reading: R, records: readonly LogRecord[], asked: number) => {
    const [next] = records;
    const goesOn = !reverse && reading.first !== undefined;
    // Given up by the log between two readings: the next page begins before the gap, and names it.
    const breakOff = () => {
      if (isBefore(reading.completeUpTo, end)) end = reading.completeUpTo;
    };
    if (goesOn && next && next.prev > reading.completeUpTo) return breakOff();
    if (next) reading.first ??= { n: next.n, prev: next.prev };
    for (const record of records) {
      reading.records.push(record);
      size += record.data.length;
    }
    count += records.length;
    const furthest = records.at(-1);
    if (furthest) reading.completeUpTo = furthest.n;
    const known = reading.records.at(-1);
    if (known && isWhole(reading, known)) reading.completeUpTo = sign * TO_THE_END;
    else if (records.length < asked && goesOn) breakOff();
    else if (records.length < asked) reading.completeUpTo = sign * TO_THE_END;
  };
  const letGo = (reading: R) => {
    let kept = reading.records.length;
    while (kept > 0 && isBefore(end, (reading.records[kept - 1] as LogRecord).n)) kept--;
    if (kept === reading.records.length) return;
    for (const { data } of reading.records.splice(kept)) {
      size -= data.length;
      count--;
    }
    reading.completeUpTo = end;
  };
  const fitting = (room: number) =>
    Math.max(1, Math.floor(room / (count > 0 ? size / count : GUESSED_BYTES)));
  const wanted = () =>
    Math.max(Math.min(limit, fitting(bytes)), Math.min(readings.length, fitting(WIDE_PAGE_BYTES)));
  const cut = () => {
    const place = cutoffAfter(wanted(), readings, reverse);
    if (place !== undefined && isBefore(place, end)) end = place;
    for (const reading of readings) letGo(reading);
  };

  let behind = readings;
  for (let least = 1; behind.length > 0; least *= 2) {
    const most = Math.min(limit, fitting(bytes));
    const asked = Math.min(most + 1, Math.max(least, Math.ceil((2 * most) / behind.length)));
    for (let from = 0; from < behind.length; ) {
      const group = behind.slice(from, from + (count === 0 ? FIRST_GROUP : GROUP));
      from += group.length;
      const chunks = await readOn(group, asked);
      group.forEach((reading, i) => void take(reading, chunks[i] ?? [], asked));
      await pace.pauseIfDue();
      if (count > 2 * wanted()) cut();
    }
    await pace.pauseIfDue();
    cut();
    await pace.pauseIfDue();
    behind = readings.filter(({ completeUpTo }) => isBefore(completeUpTo, end));
  }
  return end;
}
