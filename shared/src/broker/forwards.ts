// A page of history from a cursor on: what the log still holds, in order, and what it does not.

import type { Pace } from '../pace.ts';
import { PAGE_BYTES, type Page, type PageItem, type ReadQuery } from './broker.ts';
import { readTogether } from './merge.ts';
import { assemblePage, boundIn, judgeCursor, type LogState, type Slice } from './page.ts';
import type { Position } from './position.ts';
import type { Streams } from './streams.ts';

/** How a page may be read. */
export interface Reach {
  /** Over more channels than this there is no page. */
  mostChannels: number;
  pace: Pace;
}

export async function readForwards(
  streams: Streams,
  state: LogState,
  { channels, after: cursor, upTo: bound, limit, bytes = PAGE_BYTES }: ReadQuery,
  { mostChannels, pace }: Reach,
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
    { end: upTo, limit, bytes, pace },
    (group, count) => streams.after(group, count),
    // Whatever came since `lasts` lies beyond the bound.
    ({ last }, { n }) => n >= last,
  );
  // Asked for after `lasts`, so that a channel which is not among these because it was forgotten is among those.
  const [end, forgotten] = await Promise.all([reading, known ? 0 : streams.forgotten()]);
  if (known) await tellReborn(streams, slices);
  await nameReasons(streams, slices, after);
  const page = await assemblePage(slices, { after, upTo, end }, pace, forgotten);
  return { ...page, items: [...items, ...page.items] };
}

/** Of channels whose first entry is there: an earlier one of the same name may have been forgotten. */
async function tellReborn(streams: Streams, slices: readonly Slice[]): Promise<void> {
  const young = slices.filter(({ first }) => first?.prev === 0);
  await inGroups(young, async (group) => {
    const forgotten = await streams.reborn(group.map(({ channel }) => channel));
    group.forEach((slice, i) => {
      slice.forgotten = forgotten[i] ?? 0;
    });
  });
}

/** Time takes whole streams, the bounds by count and bytes take their oldest entries. */
async function nameReasons(streams: Streams, slices: readonly Slice[], after: Position): Promise<void> {
  const holed = slices.filter(({ first, last }) => (first?.prev ?? last) > after);
  await inGroups(holed, async (group) => {
    const trimmed = await streams.trimmed(group.map(({ channel }) => channel));
    group.forEach((slice, i) => {
      if (!trimmed[i]) slice.reason = 'expired';
    });
  });
}

/** In one round trip: of more, request and reply alone would hold the loop. */
const GROUP = 1_000;

async function inGroups<T>(all: readonly T[], ask: (group: readonly T[]) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += GROUP) await ask(all.slice(from, from + GROUP));
}
