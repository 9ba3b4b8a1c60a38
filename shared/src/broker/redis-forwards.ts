// A page of history from a cursor on: each channel is read in chunks, the lagging ones further, until the page is full.

import type { Page, PageItem, ReadQuery } from './broker.ts';
import { assemblePage, boundIn, horizonOf, judgeCursor, type LogState, type Slice } from './page.ts';
import type { Position } from './position.ts';
import type { LogRecord } from './record.ts';
import type { RedisStreams } from './redis-streams.ts';

/** Rounds of reading on in the channels that lag behind, before a page is cut where it stands. */
const MAX_ROUNDS = 6;
const MIN_CHUNK = 16;

export async function readForwards(
  streams: RedisStreams,
  state: LogState,
  { channels, after: cursor, upTo: bound, limit }: ReadQuery,
): Promise<Page> {
  const { after, gap } = judgeCursor(state, cursor);
  const upTo = boundIn(state, bound);
  const items: PageItem[] = gap ? [{ gap }] : [];
  if (after >= upTo) return { items, next: upTo, done: true };

  const { known, lasts } = await streams.lasts(channels, after);
  const slices = [...lasts].map(([channel, last]): Slice => {
    return { channel, last, records: [], exhausted: false, reason: 'trimmed', forgotten: 0 };
  });
  await readOn(streams, slices, after, chunkOf(limit, slices.length, MIN_CHUNK));
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const horizon = Math.min(upTo, horizonOf(slices));
    const ready = slices.reduce((sum, { records }) => sum + countUpTo(records, horizon), 0);
    const lagging = slices.filter((slice) => !slice.exhausted && tailOf(slice, 0) < upTo);
    if (ready >= limit || lagging.length === 0) break;
    // The half that is furthest behind holds the page's horizon back.
    lagging.sort((a, b) => tailOf(a, 0) - tailOf(b, 0));
    const behind = lagging.slice(0, Math.ceil(lagging.length / 2));
    await readOn(streams, behind, 0, chunkOf(limit, behind.length, MIN_CHUNK * 4));
  }
  if (known) await tellReborn(streams, slices);
  await nameReasons(streams, slices, after);
  const page = assemblePage(slices, { after, upTo, limit }, known ? 0 : state.forgotten);
  return { ...page, items: [...items, ...page.items] };
}

async function readOn(
  streams: RedisStreams,
  slices: readonly Slice[],
  after: Position,
  count: number,
): Promise<void> {
  const chunks = await streams.after(
    slices.map((slice) => [slice.channel, tailOf(slice, after)]),
    count,
  );
  slices.forEach((slice, i) => {
    const records = chunks[i] ?? [];
    slice.exhausted = records.length < count;
    // Trimmed between two chunks: what follows is not connected. Stop here; the next page finds the hole.
    const tail = slice.records.at(-1);
    const first = records[0];
    if (tail && first && first.prev > tail.n) slice.exhausted = false;
    else slice.records.push(...records);
  });
}

/** Of channels whose first entry is there: an earlier one of the same name may have been forgotten. */
async function tellReborn(streams: RedisStreams, slices: readonly Slice[]): Promise<void> {
  const young = slices.filter(({ records }) => records[0]?.prev === 0);
  if (young.length === 0) return;
  const forgotten = await streams.reborn(young.map(({ channel }) => channel));
  young.forEach((slice, i) => {
    slice.forgotten = forgotten[i] ?? 0;
  });
}

/** Time takes whole streams, the bounds by count and bytes take their oldest entries. */
async function nameReasons(streams: RedisStreams, slices: readonly Slice[], after: Position): Promise<void> {
  const holed = slices.filter(({ records, last }) => (records[0]?.prev ?? last) > after);
  if (holed.length === 0) return;
  const trimmed = await streams.trimmed(holed.map(({ channel }) => channel));
  holed.forEach((slice, i) => {
    if (!trimmed[i]) slice.reason = 'expired';
  });
}

function chunkOf(limit: number, channels: number, least: number): number {
  return Math.min(limit + 1, Math.max(least, Math.ceil((2 * limit) / Math.max(1, channels))));
}

/** Where the slice has been read to. */
function tailOf({ records }: Slice, after: Position): Position {
  return records.at(-1)?.n ?? after;
}

function countUpTo(records: readonly LogRecord[], horizon: Position): number {
  let count = 0;
  for (const { n } of records) if (n <= horizon) count++;
  return count;
}
