// POST /api/process: starts a run, or finds the one that the same request has started, and streams it.

import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type Params, parseCursor } from '../parameters.ts';
import {
  beginRun,
  checkLength,
  idSchema,
  messageSchema,
  RUN_BODY_BYTES,
  type RunStartServices,
} from './begin-run.ts';
import { jsonScope, parseBody } from './json-body.ts';
import type { RunStreams } from './run-stream.ts';
import { summaryOf } from './run-summary.ts';

export const runSchema = z.strictObject({
  message: messageSchema,
  message_id: idSchema,
  conversation_id: idSchema.optional(),
});
type RunBody = z.output<typeof runSchema> & { agent?: string | undefined };
const EXAMPLE = '{"message":"…","message_id":"…"}';

export interface ProcessServices extends RunStartServices {
  streams: RunStreams;
}

export function processRoute(app: FastifyInstance, services: ProcessServices): void {
  jsonScope(app, (scope) => {
    const config = { needs: 'run', parameters: ['lastEventId'] } as const;
    scope.post('/api/process', { bodyLimit: RUN_BODY_BYTES, config }, async (request, reply) => {
      const asked = askedIn(request.body, runSchema);
      const after = parseCursor(request.headers['last-event-id'], request.query as Params);
      const run = await beginRun(request, reply, services, asked);
      if (!/\brespond-async\b/.test(request.headers.prefer?.toString() ?? ''))
        return services.streams.send(reply, run, after);
      return reply
        .code(202)
        .headers({ 'preference-applied': 'respond-async', location: `runs/${run.id}` })
        .send(summaryOf(run));
    });
  });
}

/** What a body asks for. @throws CodedError `invalid_body`, `message_too_long` */
export function askedIn(body: unknown, schema: z.ZodType<RunBody> & z.ZodObject) {
  const { message, message_id, conversation_id, agent }: RunBody = parseBody(schema, body, EXAMPLE);
  checkLength(message, 'message');
  return {
    id: message_id,
    message,
    ...(conversation_id !== undefined && { conversationId: conversation_id }),
    ...(agent !== undefined && { agent }),
  };
}
