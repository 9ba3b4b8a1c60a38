// For GET routes that stream: refuses a request with a body, whose bytes would arrive while the stream goes on.

import type { FastifyRequest } from 'fastify';
import { HttpError } from './plugins/problems.ts';

/** @throws HttpError `invalid_body` */
export async function noBody({ headers }: FastifyRequest): Promise<void> {
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return;
  throw new HttpError(400, 'invalid_body', 'send no body with this request');
}
