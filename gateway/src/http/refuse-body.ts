// For GET routes that stream: refuses a request with a body, because its bytes would arrive in the middle of the stream.

import type { FastifyRequest } from 'fastify';
import { HttpError } from './errors.ts';

/** @throws HttpError `invalid_body` */
export async function refuseBody({ headers }: FastifyRequest): Promise<void> {
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return;
  throw new HttpError('invalid_body', 'send no body with this request');
}
