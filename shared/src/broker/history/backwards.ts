// Reads a page of history backwards from a bound, the newest entry first. Such a page names no gaps: a reader that goes back has no
// cursor below which it has everything, so nothing that retention has dropped is missing to it.

import { PAGE_BYTES, type Page, type ReadQuery } from '../broker.ts';
import type { LogState } from '../log-state.ts';
import type { ChannelStreams } from './channel-streams.ts';
import type { ReadLimits } from './forwards.ts';
import { mergeRead } from './merge.ts';
import { type ChannelRead, inOrder } from './page.ts';

/**
 * Reads no more channels than it must. If two entries are wanted up to 105, and the newest entries of four channels are a 110,
 * b 104, c 102 and d 101, then only a, b and c are read: a may have anything below 105, and b and c alone give two entries that
 * are newer than all of d. So d is left out, and the page ends above 101.
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
  // The channels in `others` are not read, so the page ends above the newest entry of all of them.
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
