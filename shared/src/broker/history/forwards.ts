// A page of history from a cursor on: what the log still holds, in order, and what it does not.

import type { TimeSlicer } from '../../time-slicer.ts';
import { PAGE_BYTES, type Page, type PageItem, type ReadQuery } from '../broker.ts';
import { clampUpTo, judgeCursor, type LogState } from '../log-state.ts';
import type { Position } from '../position.ts';
import type { ChannelStreams } from './channel-streams.ts';
import { mergeRead } from './merge.ts';
import { assemblePage, type ForwardRead } from './page.ts';

/** How a page may be read. */
export interface ReadLimits {
  /** Over more channels than this there is no page. */
  mostChannels: number;
  pace: TimeSlicer;
}

export async function readForwards(
  streams: ChannelStreams,
  state: LogState,
  { channels, after: cursor, upTo: bound, limit, bytes = PAGE_BYTES }: ReadQuery,
  { mostChannels, pace }: ReadLimits,
): Promise<Page | undefined> {
  const { after, gap } = judgeCursor(state, cursor);
  const upTo = clampUpTo(state, bound);
  const items: PageItem[] = gap ? [{ gap }] : [];
  if (after >= upTo) return { items, next: upTo, done: true };

  const { allKnown, newestByChannel } = await streams.findNewest(channels, after);
  if (newestByChannel.size > mostChannels) return undefined;
  const slices = [...newestByChannel].map(([channel, last]): ForwardRead => {
    return {
      channel,
      last,
      first: undefined,
      records: [],
      completeUpTo: after,
      reason: 'trimmed',
      forgottenBefore: 0,
    };
  });
  const reading = mergeRead(
    slices,
    { end: upTo, limit, bytes, pace },
    (group, count) => streams.after(group, count),
    // Whatever came since `lasts` lies beyond the bound.
    ({ last }, { n }) => n >= last,
  );
  // Asked for after `lasts`, so that a channel which is not among these because it was forgotten is among those.
  const [end, forgotten] = await Promise.all([reading, allKnown ? 0 : streams.highestForgotten()]);
  if (allKnown) await addForgottenBefore(streams, slices);
  await nameReasons(streams, slices, after);
  const page = await assemblePage(slices, { after, upTo, end }, pace, forgotten);
  return { ...page, items: [...items, ...page.items] };
}

/** Of channels whose first entry is there: an earlier one of the same name may have been forgotten. */
async function addForgottenBefore(streams: ChannelStreams, slices: readonly ForwardRead[]): Promise<void> {
  const young = slices.filter(({ first }) => first?.prev === 0);
  await inGroups(young, async (group) => {
    const forgotten = await streams.forgottenBefore(group.map(({ channel }) => channel));
    group.forEach((slice, i) => {
      slice.forgottenBefore = forgotten[i] ?? 0;
    });
  });
}

/** Time takes whole streams, the bounds by count and bytes take their oldest entries. */
async function nameReasons(
  streams: ChannelStreams,
  slices: readonly ForwardRead[],
  after: Position,
): Promise<void> {
  const holed = slices.filter(({ first, last }) => (first?.prev ?? last) > after);
  await inGroups(holed, async (group) => {
    const trimmed = await streams.wereTrimmed(group.map(({ channel }) => channel));
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
