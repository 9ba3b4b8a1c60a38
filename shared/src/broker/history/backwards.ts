// A page of history backwards from a bound: the newest entries first. Makes no claim about completeness.

import { PAGE_BYTES, type Page, type ReadQuery } from '../broker.ts';
import type { LogState } from '../log-state.ts';
import type { ChannelStreams } from './channel-streams.ts';
import type { ReadLimits } from './forwards.ts';
import { mergeRead } from './merge.ts';
import { type ChannelRead, inOrder } from './page.ts';

/**
 * Each of the `limit` newest entries lies in a channel that changed behind the bound, or in one of the `limit` that
 * changed last before it.
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
  // Of the others nothing is read: the page ends above them.
  const others = within < 0 ? [] : newest.splice(within + limit);
  const bottom = Math.max(after, others[0]?.[1] ?? 0);
  const readings = newest.map(([channel]): ChannelRead => {
    return { channel, first: undefined, records: [], completeUpTo: upTo + 1 };
  });
  const end = await mergeRead(
    readings,
    { end: bottom + 1, limit, bytes, pace, reverse: true },
    (group, count) => streams.readBefore(group, bottom, count),
    (_, { prev }) => prev <= bottom,
  );
  const records = (await inOrder(readings, pace)).reverse();
  return { items: records.map((record) => ({ record })), next: end - 1, done: end - 1 <= after };
}
