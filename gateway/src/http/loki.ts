// POST /loki/api/v1/push: takes what senders of Loki's protocol push, as JSON or as protobuf. Answers as Loki does: nothing, or a line of
// text with a status.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { lokiEntries } from '../shippers/loki-entries.ts';
import { readJsonPush, readProtobufPush } from '../shippers/loki-push.ts';
import { channelHeader } from './protocol-scope.ts';
import type { Protocol, ShipperWays } from './shipper-ways.ts';

const LOKI: Protocol = {
  name: 'loki',
  ownEncoding: 'snappy',
  sendError: (_request, reply, { status, message }) =>
    reply
      .code(status === 422 ? 400 : status)
      .type('text/plain; charset=utf-8')
      .send(`${message}\n`),
};

export function lokiRoutes(app: FastifyInstance, ways: ShipperWays): void {
  ways.register(app, LOKI, (scope) => {
    scope.post(
      '/loki/api/v1/push',
      { config: { needs: 'publish', anyName: true } },
      async (request: FastifyRequest, reply: FastifyReply) => {
        const { headers } = request;
        const isJson = /^application\/json\b/i.test(headers['content-type'] ?? '');
        await ways.take(LOKI, request, async (body) => {
          const streams = isJson
            ? await readJsonPush(body, ways.slicer)
            : await readProtobufPush(body, ways.slicer);
          const { access } = request;
          return ways.store.store(
            lokiEntries(streams, {
              now: Date.now(),
              channel: channelHeader(request),
              source: access.ownSource,
            }),
            access,
          );
        });
        return reply.code(204).send();
      },
    );
  });
}
