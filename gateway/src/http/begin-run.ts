// What all routes that begin runs have in common: what ids and messages may be, in whose name a run begins, and how many one may begin.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ID, ID_RULE } from '../parameters.ts';
import type { RateLimiter, RateLimitOptions } from '../runs/rate-limit.ts';
import type { RunRequest } from '../runs/run-plan.ts';
import type { RunService } from '../runs/run-service.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import { sharerOf } from '../sharer-of.ts';
import type { TraceHeaders } from '../tracing/span.ts';
import { HttpError } from './errors.ts';

/** Bytes of a body. The longest message takes six bytes for each character, if it is written as escapes. */
export const RUN_BODY_BYTES = 131_072;
/** UTF-16 units. As a turn of a conversation, the message must fit into one entry, in any script. */
const MAX_MESSAGE = 16_000;
const MESSAGE_RULE = `must be a text of 1 to ${MAX_MESSAGE} characters`;

export const idSchema = z.string(ID_RULE).regex(ID, ID_RULE);
export const messageSchema = z.string(MESSAGE_RULE).refine((text) => text.trim() !== '', MESSAGE_RULE);

/** @throws HttpError `message_too_long` */
export function checkLength(message: string, field: string): void {
  if (message.length > MAX_MESSAGE)
    throw new HttpError('message_too_long', `${field}: ${MESSAGE_RULE}`, { field });
}

/** What begins runs, and counts them. */
export interface RunStartServices {
  service: RunService;
  limiter: RateLimiter;
  limit: RateLimitOptions;
}

/**
 * Begins a run in the name of the one who makes the request, or finds the one that the same request has begun before.
 * @param reply says in its headers how many runs are left to the client; absent where the protocol has no place for that
 * @throws HttpError `rate_limited`, and the errors of `RunService.start`
 */
export async function beginRun(
  request: FastifyRequest,
  reply: FastifyReply | undefined,
  { service, limiter, limit }: RunStartServices,
  asked: Omit<RunRequest, 'owner' | 'sharer' | 'trace'>,
): Promise<RunRecord> {
  const { principal, ip } = request;
  const { owner } = principal;
  const run = await service.start(
    { ...asked, owner, sharer: sharerOf(principal, ip), trace: traceOf(request) },
    async () => {
      const left = await admitRun(request, limiter, limit);
      reply?.headers(left);
    },
  );
  request.bodyIsUsed();
  return run;
}

function traceOf({ headers: { traceparent, tracestate } }: FastifyRequest): TraceHeaders {
  return {
    ...(typeof traceparent === 'string' && { traceparent }),
    ...(typeof tracestate === 'string' && { tracestate }),
  };
}

/** Counts one more run of the client, and says in headers how many are left to it. @throws HttpError `rate_limited` */
async function admitRun(
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

/** Who shares one limit: all keys of a person, or else all who come from an address. */
function clientName({ principal, ip }: FastifyRequest): string {
  return principal.owner === '' ? ip : `owner:${principal.owner}`;
}
