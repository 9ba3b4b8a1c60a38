// GET /api/channels: the channels of the log that the one who asks may read, with their number of entries and their rate.

import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { FastifyInstance } from 'fastify';
import type { ChannelLists } from '../stream/channel-lists.ts';

/** Bytes of a list of fifty thousand channels with names of medium length. */
const ANSWER_BYTES = 16_777_216;

export function channelsRoute(app: FastifyInstance, lists: ChannelLists): void {
  const slicer = new TimeSlicer();
  const options = { config: { needs: 'read', answerBytes: ANSWER_BYTES } } as const;
  app.get('/api/channels', options, async ({ access }, reply) => {
    const answer = await (await lists.next()).readableBy(access);
    await slicer.pauseIfDue(); // a list can have megabytes, so not all who wait for it get it in the same round
    return reply.type('application/json; charset=utf-8').send(answer);
  });
}
