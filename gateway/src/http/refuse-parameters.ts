// For routes that take no parameters: refuses a request that has one, and names it.

import type { FastifyRequest } from 'fastify';
import { type Params, refuseUnknown } from '../parameters.ts';

/** @throws CodedError `invalid_query` */
export async function refuseParameters({ query }: FastifyRequest): Promise<void> {
  refuseUnknown(query as Params, []);
}
