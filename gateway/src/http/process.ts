// POST /api/process: starts a run, or finds the one that the same request has started, and streams it.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Params, parseCursor } from '../parameters.ts';
import type { RateLimiter, RateLimitOptions } from '../runs/rate-limit.ts';
import type { RunRequest } from '../runs/run-plan.ts';
import type { RunService } from '../runs/run-service.ts';
import { sharerOf } from '../sharer-of.ts';
import { admitRun, checkLength, idSchema, messageSchema, RUN_BODY_BYTES, traceOf } from './begin-run.ts';
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

export interface ProcessServices {
  service: RunService;
  streams: RunStreams;
  limiter: RateLimiter;
  limit: RateLimitOptions;
}

export function processRoute(
  app: FastifyInstance,
  { service, streams, limiter, limit }: ProcessServices,
): void {
  jsonScope(app, (scope) => {
    const config = { needs: 'run', parameters: ['lastEventId'] } as const;
    scope.post('/api/process', { bodyLimit: RUN_BODY_BYTES, config }, async (request, reply) => {
      const wanted = runRequest(request, request.body, runSchema);
      const after = parseCursor(request.headers['last-event-id'], request.query as Params);
      const run = await service.start(wanted, async () => {
        reply.headers(await admitRun(request, limiter, limit));
      });
      request.bodyIsUsed();
      if (!/\brespond-async\b/.test(request.headers.prefer?.toString() ?? ''))
        return streams.send(reply, run, after);
      return reply
        .code(202)
        .headers({ 'preference-applied': 'respond-async', location: `runs/${run.id}` })
        .send(summaryOf(run));
    });
  });
}

/** What a body asks for, in the name of the one who makes the request. @throws CodedError `invalid_body`, `message_too_long` */
export function runRequest(
  request: FastifyRequest,
  body: unknown,
  schema: z.ZodType<RunBody> & z.ZodObject,
): RunRequest {
  const { message, message_id, conversation_id, agent }: RunBody = parseBody(schema, body, EXAMPLE);
  checkLength(message, 'message');
  return {
    owner: request.principal.owner,
    sharer: sharerOf(request.principal, request.ip),
    id: message_id,
    message,
    ...(conversation_id !== undefined && { conversationId: conversation_id }),
    ...(agent !== undefined && { agent }),
    trace: traceOf(request),
  };
}
