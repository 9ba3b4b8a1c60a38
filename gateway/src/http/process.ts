// POST /api/process: starts a run, or finds the one that the same request has started, and streams it.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ID, ID_RULE, type Params, parseCursor } from '../parameters.ts';
import type { RateLimiter, RateLimitOptions } from '../runs/rate-limit.ts';
import type { RunRequest } from '../runs/run-plan.ts';
import type { RunService } from '../runs/run-service.ts';
import type { TraceHeaders } from '../tracing/span.ts';
import { HttpError } from './errors.ts';
import type { RunStreams } from './run-stream.ts';
import { summaryOf } from './run-summary.ts';

/** Bytes of a body. The longest message takes six bytes for each character, if it is written as escapes. */
export const BODY_BYTES = 131_072;
/** UTF-16 units. As a turn of a conversation, the message must fit into one entry, in any script. */
const MAX_MESSAGE = 16_000;
const MESSAGE_RULE = `must be a text of 1 to ${MAX_MESSAGE} characters`;

const idSchema = z.string(ID_RULE).regex(ID, ID_RULE);
const bodySchema = z.strictObject({
  message: z.string(MESSAGE_RULE).refine((text) => text.trim() !== '', MESSAGE_RULE),
  message_id: idSchema,
  conversation_id: idSchema.optional(),
});
const FIELDS = Object.keys(bodySchema.shape).join(', ');
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
  app.register(async (scope) => {
    scope.removeContentTypeParser('text/plain'); // so that only JSON is accepted
    const config = { needs: 'run', parameters: ['lastEventId'] } as const;
    scope.post('/api/process', { bodyLimit: BODY_BYTES, config }, async (request, reply) => {
      const wanted = runRequest(request, request.body);
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

/** Counts one more run of the client, and says in headers how many are left to it. @throws HttpError `rate_limited` */
export async function admitRun(
  request: FastifyRequest,
  limiter: RateLimiter,
  limit: RateLimitOptions,
): Promise<Record<string, string>> {
  if (limit.perSecond === 0) return {};
  const { allowed, remaining, resetMs } = await limiter.consume(clientName(request));
  const { runs, seconds: window } = limiter.window;
  const seconds = Math.max(1, Math.ceil(resetMs / 1000));
  const headers = {
    'ratelimit-limit': `${runs}`,
    'ratelimit-remaining': `${remaining}`,
    'ratelimit-reset': `${seconds}`,
    'ratelimit-policy': `${runs};w=${window}`,
  };
  if (allowed) return headers;
  throw new HttpError('rate_limited', `too many runs; try again in ${seconds} s`, {
    headers: { ...headers, 'retry-after': `${seconds}` },
  });
}

/** What a body asks for, in the name of the one who makes the request. @throws CodedError `invalid_body`, `message_too_long` */
export function runRequest(request: FastifyRequest, body: unknown): RunRequest {
  const { message, message_id, conversation_id } = parseBody(body);
  return {
    owner: request.principal.owner,
    id: message_id,
    message,
    ...(conversation_id !== undefined && { conversationId: conversation_id }),
    trace: traceOf(request),
  };
}

function traceOf({ headers: { traceparent, tracestate } }: FastifyRequest): TraceHeaders {
  return {
    ...(typeof traceparent === 'string' && { traceparent }),
    ...(typeof tracestate === 'string' && { tracestate }),
  };
}

/** Who shares one limit: all keys of a person, or else all who come from an address. */
function clientName({ principal, ip }: FastifyRequest): string {
  return principal.owner === '' ? ip : `owner:${principal.owner}`;
}

function parseBody(body: unknown): z.output<typeof bodySchema> {
  const result = bodySchema.safeParse(body);
  if (!result.success) throw invalidBody(body, result.error);
  if (result.data.message.length > MAX_MESSAGE)
    throw new HttpError('message_too_long', `message: ${MESSAGE_RULE}`, { field: 'message' });
  return result.data;
}

function invalidBody(body: unknown, { issues }: z.ZodError): CodedError {
  if (body === undefined) return new CodedError('invalid_body', `the body is missing; send ${EXAMPLE}`);
  const issue = issues[0];
  const unknown = issue?.code === 'unrecognized_keys';
  const field = unknown ? issue.keys[0]?.slice(0, 100) : issue?.path[0]?.toString();
  if (issue === undefined || field === undefined)
    return new CodedError('invalid_body', `the body must be an object like ${EXAMPLE}`);
  const rule = unknown ? `unknown field; known are ${FIELDS}` : issue.message;
  return new CodedError('invalid_body', `${field}: ${rule}`, { field });
}
