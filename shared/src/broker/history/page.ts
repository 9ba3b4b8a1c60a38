// Merges what was read from several channels into one page of history: in order, each entry once, every gap named.

import type { TimeSlicer } from '../../time-slicer.ts';
import type { Gap, GapReason, Page, PageItem } from '../broker.ts';
import type { Position } from '../position.ts';
import type { LogRecord, RecordHead } from '../record.ts';

/** What was read of one channel from the page's beginning on. */
export interface ChannelRead {
  channel: string;
  /** What was read first, whether or not the page has room for it. */
  first: RecordHead | undefined;
  /** In the order of reading, without gaps. */
  records: LogRecord[];
  /** Up to here the channel holds nothing but `records`. */
  completeUpTo: Position;
}

/** Of a channel that is read forwards: what tells the gaps. */
export interface ForwardRead extends ChannelRead {
  /** `n` of the channel's newest entry ever. */
  last: Position;
  /** Why older entries may be missing. */
  reason: GapReason;
  /** The highest number that was forgotten, of any channel, when this one was made; 0 for none. */
  forgottenBefore: Position;
}

/** The reach of a channel that was read to its end. */
export const TO_THE_END = Number.MAX_SAFE_INTEGER;

export interface PageBounds {
  after: Position;
  upTo: Position;
  /** How far the page goes; no slice's reach is less. */
  end: Position;
}

/** Where `limit` entries of all readings end, in the order of reading; undefined where there are no more than that. */
export function cutoffAfter(
  limit: number,
  readings: readonly ChannelRead[],
  reverse = false,
): Position | undefined {
  let count = 0;
  for (const { records } of readings) count += records.length;
  if (count <= limit) return undefined;
  const places = new Float64Array(count);
  for (const { records } of readings) for (const { n } of records) places[--count] = n;
  places.sort();
  return places.at(reverse ? -limit : limit - 1);
}

/**
 * By the rule of `prev`: after position c, the next entry on a channel must have `prev` ≤ c, and a channel without one
 * must have `last` ≤ c. All gaps come first, whatever lies before their ends: whoever is cut off among the entries of
 * other channels has been told, and is told again by the place reached. A channel's first entry says nothing of an
 * earlier channel of its name, so that there what was forgotten counts. `forgotten`: of channels that nobody remembers.
 */
export async function assemblePage(
  slices: readonly ForwardRead[],
  { after, upTo, end }: PageBounds,
  pace: TimeSlicer,
  forgotten = 0,
): Promise<Page> {
  const records = await inOrder(slices, pace);
  const gaps: Gap[] = [];
  const tell = (channel: string | null, newestMissing: Position, reason: GapReason) => {
    // What is missing beyond the bound is told to whoever reads there; this reader may have it already, live.
    const newest = Math.min(newestMissing, upTo);
    if (newest > after) gaps.push({ channel, after, before: newest + 1, reason, missed: null });
  };
  tell(null, forgotten, 'expired');
  for (const { channel, first, last, reason, forgottenBefore: before } of slices) {
    if (!first) tell(channel, last, reason);
    else if (first.prev > 0) tell(channel, first.prev, reason);
    else if (forgotten === 0) tell(channel, before, 'expired');
  }
  await pace.pauseIfDue();
  gaps.sort((a, b) => a.before - b.before);

  const items: PageItem[] = [...gaps.map((gap) => ({ gap })), ...records.map((record) => ({ record }))];
  return { items, next: end, done: end >= upTo };
}

/** What all readings hold, oldest first. Tens of thousands of entries, compared one by one, would take too long in one turn. */
export async function inOrder(readings: readonly ChannelRead[], pace: TimeSlicer): Promise<LogRecord[]> {
  const byNumber = new Map<Position, LogRecord>();
  for (const { records } of readings) for (const record of records) byNumber.set(record.n, record);
  await pace.pauseIfDue();
  const numbers = Float64Array.from(byNumber.keys()).sort();
  await pace.pauseIfDue();
  return Array.from(numbers, (n) => byNumber.get(n) as LogRecord);
}
