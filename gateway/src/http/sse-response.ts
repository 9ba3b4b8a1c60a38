// What the answers of `/stream` and of a run's stream have in common: their headers, and how a client is refused.

import type { ByeCode } from '@llm-streamer/shared/stream-events.ts';
import type { FastifyRequest } from 'fastify';
import { CLOSE_REASONS } from '../stream/viewer/connections.ts';
import { HttpError } from './errors.ts';

export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
} as const;

/**
 * Whether the client can be refused inside a stream only: a browser's EventSource gives up for good on any status but 200.
 * It gets a stream that ends at once, and reconnects.
 */
export function needsStream({ headers, method }: FastifyRequest): boolean {
  return method === 'GET' && headers.accept?.includes('text/event-stream') === true;
}

/** Why there is no stream. Streams that have begun can end for more reasons. */
export type RefusalReason = Exclude<ByeCode, 'lifetime' | 'session_ended' | 'revoked' | 'expired'>;

/** The answer to all other clients. @param cause says more than the sentence of the code. */
export function refusalOf(code: RefusalReason, cause?: Error): HttpError {
  return new HttpError(
    code === 'not_ready' ? 'broker_unavailable' : code,
    cause?.message ?? CLOSE_REASONS[code],
  );
}
