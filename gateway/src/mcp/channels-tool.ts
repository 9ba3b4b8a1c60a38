// list_channels: the channels of GET /api/channels, those that were written to last first.

import type { ChannelSummary } from '@llm-streamer/shared/api-types.ts';
import { channelMatcher, isPattern, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { invalid, type Params, text } from '../parameters.ts';
import type { ChannelLists } from '../stream/channel-lists.ts';
import { answer, fitting } from './answer.ts';
import { accessChanged, type Caller } from './caller.ts';
import { timeText } from './entry-line.ts';
import { pageLink } from './page-link.ts';

/** What GET /api/channels may take. */
const LIST_BYTES = 16_777_216;
const MAX_LISTED = 200;

/** @throws CodedError `invalid_query`; BrokerUnavailable */
export async function listChannels(
  lists: ChannelLists,
  args: Params,
  caller: Caller,
): Promise<CallToolResult> {
  const pattern = text(args, 'pattern') ?? '*';
  if (!isPattern(pattern)) throw invalid('pattern', `must be ${PATTERN_RULE}`);
  const fits = channelMatcher(pattern);
  const { access } = caller;
  const readable = await caller.withRoom(LIST_BYTES, async () =>
    (await lists.next()).select((channel) => fits(channel) && access.mayRead(channel)),
  );
  await caller.confirmRights();
  if (caller.access !== access) throw accessChanged();
  const newest = readable.sort((a, b) => (b.lastTime ?? 0) - (a.lastTime ?? 0)).slice(0, MAX_LISTED);
  const lines = fitting(newest.map(lineOf));
  const more = readable.length - lines.length;
  return answer(`Channels that fit ${pattern}: ${readable.length}, those written to last first.`, lines, [
    ...(more > 0 ? [`${more} more are not shown: name a narrower pattern.`] : []),
    `On the page: ${pageLink(caller.page, { channels: [pattern] })}`,
  ]);
}

function lineOf({ channel, entries, rate, lastTime }: ChannelSummary): string {
  const pace = rate === null ? '' : ` rate=${rate}/s`;
  return `${channel} entries=${entries}${pace} last=${lastTime === null ? 'unknown' : timeText(lastTime)}`;
}
