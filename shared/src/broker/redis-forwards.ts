// A page of history from a cursor on: what the log still holds, in order, and what it does not.

import type { Page, PageItem, ReadQuery } from './broker.ts';
import { assemblePage, boundIn, judgeCursor, type LogState, type Slice } from './page.ts';
import type { Position } from './position.ts';
import { readTogether } from './redis-merge.ts';
import type { RedisStreams } from './redis-streams.ts';

export async function readForwards(
  streams: RedisStreams,
  state: LogState,
  { channels, after: cursor, upTo: bound, limit }: ReadQuery,
  mostChannels: number,
): Promise<Page | undefined> {
  const { after, gap } = judgeCursor(state, cursor);
  const upTo = boundIn(state, bound);
  const items: PageItem[] = gap ? [{ gap }] : [];
  if (after >= upTo) return { items, next: upTo, done: true };

  const { known, lasts } = await streams.lasts(channels, after);
  if (lasts.size > mostChannels) return undefined;
  const slices = [...lasts].map(([channel, last]): Slice => {
    return { channel, last, first: undefined, records: [], reach: after, reason: 'trimmed', forgotten: 0 };
  });
  const reading = readTogether(
    slices,
    { end: upTo, limit },
    (group, count) => streams.after(group, count),
    // Whatever came since `lasts` lies beyond the bound.
    ({ last }, { n }) => n >= last,
  );
  // Asked for after `lasts`, so that a channel which is not among these because it was forgotten is among those.
  const [end, forgotten] = await Promise.all([reading, known ? 0 : streams.forgotten()]);
  if (known) await tellReborn(streams, slices);
  await nameReasons(streams, slices, after);
  const page = assemblePage(slices, { after, upTo, end }, forgotten);
  return { ...page, items: [...items, ...page.items] };
}

/** Of channels whose first entry is there: an earlier one of the same name may have been forgotten. */
async function tellReborn(streams: RedisStreams, slices: readonly Slice[]): Promise<void> {
  const young = slices.filter(({ first }) => first?.prev === 0);
  if (young.length === 0) return;
  const forgotten = await streams.reborn(young.map(({ channel }) => channel));
  young.forEach((slice, i) => {
    slice.forgotten = forgotten[i] ?? 0;
  });
}

/** Time takes whole streams, the bounds by count and bytes take their oldest entries. */
async function nameReasons(streams: RedisStreams, slices: readonly Slice[], after: Position): Promise<void> {
  const holed = slices.filter(({ first, last }) => (first?.prev ?? last) > after);
  if (holed.length === 0) return;
  const trimmed = await streams.trimmed(holed.map(({ channel }) => channel));
  holed.forEach((slice, i) => {
    if (!trimmed[i]) slice.reason = 'expired';
  });
}
