// Reads a page of history backwards from a bound, the newest entry first. It names no gaps: a reader of older entries is not
// promised that there are any.

import { PAGE_BYTES, type Page, type ReadQuery } from '../broker.ts';
import type { LogState } from '../log-state.ts';
import type { ChannelStreams } from './channel-streams.ts';
import type { ReadLimits } from './forwards.ts';
import { mergeRead } from './merge.ts';
import { type ChannelRead, inOrder } from './page.ts';

/**
 * Reads no more channels than it must. Each of the `limit` newest entries up to the bound is on a channel whose newest entry is
 * after the bound, or on one of the `limit` channels with the newest entries up to the bound.
 */
export async function readBackwards(
  streams: ChannelStreams,
  state: LogState,
  { channels, after: asked, upTo: bound, limit, bytes = PAGE_BYTES }: ReadQuery,
  { mostChannels, pace }: ReadLimits,
): Promise<Page | undefined> {
  const after = Math.max(asked, state.start);
  const upTo = Math.min(bound ?? state.head, state.head);
  const { newestByChannel } = await streams.findNewest(channels, after);
  if (newestByChannel.size > mostChannels) return undefined;
  const newest = [...newestByChannel].sort((a, b) => b[1] - a[1]);
  const within = newest.findIndex(([, last]) => last <= upTo);
  // The other channels are not read, so the page ends above their newest entry.
  const others = within < 0 ? [] : newest.splice(within + limit);
  const bottom = Math.max(after, others[0]?.[1] ?? 0);
  const reads = newest.map(([channel]): ChannelRead => {
    return { channel, first: undefined, records: [], completeUpTo: upTo + 1 };
  });
  const end = await mergeRead(
    reads,
    { end: bottom + 1, limit, bytes, pace, reverse: true },
    (group, count) => streams.readBefore(group, bottom, count),
    (_, { prev }) => prev <= bottom,
  );
  const records = (await inOrder(reads, pace)).reverse();
  return { items: records.map((record) => ({ record })), next: end - 1, done: end - 1 <= after };
}
