// Reads a page of history after a cursor: the entries that the log holds, in order, and a gap for whatever is missing.

import type { TimeSlicer } from '../../time-slicer.ts';
import { PAGE_BYTES, type Page, type ReadQuery } from '../broker.ts';
import { clampUpTo, judgeCursor, type LogState, nextLoss } from '../log-state.ts';
import type { Position } from '../position.ts';
import type { ChannelStreams } from './channel-streams.ts';
import { mergeRead } from './merge.ts';
import { assemblePage, type ForwardRead } from './page.ts';

export interface ReadLimits {
  /** A page that would have to read more channels than this is not read. */
  mostChannels: number;
  pace: TimeSlicer;
}

/**
 * Undefined if the query matches more than `mostChannels` channels with entries after the cursor. A page ends where the log has lost
 * entries, and the next one begins with the gap: its id must not lie before entries that are still to come.
 */
export async function readForwards(
  streams: ChannelStreams,
  state: LogState,
  query: ReadQuery,
  limits: ReadLimits,
): Promise<Page | undefined> {
  const judged = judgeCursor(state, query.after);
  const upTo = clampUpTo(state, query.upTo);
  const gaps = judged.gap ? [judged.gap] : [];
  let { after } = judged;
  for (;;) {
    const loss = nextLoss(state, after, upTo);
    const end = loss?.at ?? upTo;
    const page =
      after < end
        ? await readRange(streams, query, { after, upTo: end }, limits)
        : { items: [], next: end, done: true };
    if (page === undefined) return undefined;
    const isEnd = loss === undefined || !page.done;
    if (isEnd || page.items.length > 0)
      return {
        items: [...gaps.map((gap) => ({ gap })), ...page.items],
        next: page.next,
        done: page.done && isEnd,
      };
    gaps.push(loss.gap);
    after = loss.goOn;
  }
}

async function readRange(
  streams: ChannelStreams,
  { channels, limit, bytes = PAGE_BYTES }: ReadQuery,
  { after, upTo }: { after: Position; upTo: Position },
  { mostChannels, pace }: ReadLimits,
): Promise<Page | undefined> {
  const { allKnown, newestByChannel } = await streams.findNewest(channels, after);
  if (newestByChannel.size > mostChannels) return undefined;
  const reads = [...newestByChannel].map(([channel, last]): ForwardRead => {
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
  const merged = mergeRead(
    reads,
    { end: upTo, limit, bytes, pace },
    (group, count) => streams.readAfter(group, count),
    // A channel's newest entry when `findNewest` was asked is the last that the page can need: later ones are after the bound.
    ({ last }, { n }) => n >= last,
  );
  // The order matters: `highestForgotten` is read after `findNewest`. A channel that is forgotten between the two reads is then in
  // both answers. In the other order it could be in neither: not forgotten yet at the first read, and gone at the second.
  const [end, forgotten] = await Promise.all([merged, allKnown ? 0 : streams.highestForgotten()]);
  if (allKnown) await addForgottenBefore(streams, reads);
  await nameReasons(streams, reads, after);
  return assemblePage(reads, { after, upTo, end }, pace, forgotten);
}

/**
 * Fills `forgottenBefore` of the channels whose very first entry (prev 0) was read. Such an entry shows nothing missing, but an
 * earlier channel of the same name may have been forgotten; see channel-streams.ts.
 */
async function addForgottenBefore(streams: ChannelStreams, reads: readonly ForwardRead[]): Promise<void> {
  const young = reads.filter(({ first }) => first?.prev === 0);
  await inGroups(young, async (group) => {
    const forgotten = await streams.forgottenBefore(group.map(({ channel }) => channel));
    group.forEach((read, i) => {
      read.forgottenBefore = forgotten[i] ?? 0;
    });
  });
}

/**
 * Decides for each channel with missing entries whether they were trimmed or have expired: retention by idle time drops whole
 * streams, and the bounds of count and bytes drop the oldest entries of a stream.
 */
async function nameReasons(
  streams: ChannelStreams,
  reads: readonly ForwardRead[],
  after: Position,
): Promise<void> {
  const incomplete = reads.filter(({ first, last }) => (first?.prev ?? last) > after);
  await inGroups(incomplete, async (group) => {
    const trimmed = await streams.wereTrimmed(group.map(({ channel }) => channel));
    group.forEach((read, i) => {
      if (!trimmed[i]) read.reason = 'expired';
    });
  });
}

/** Channels that are asked about in one round trip. Between two round trips the event loop does other work. */
const GROUP = 1_000;

async function inGroups<T>(all: readonly T[], ask: (group: readonly T[]) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += GROUP) await ask(all.slice(from, from + GROUP));
}
