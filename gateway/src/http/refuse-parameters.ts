// For routes that take no parameters: one is refused by name, so that a misspelt wish is never answered as if granted.

import type { FastifyRequest } from 'fastify';
import { invalid } from '../stream/query/query.ts';

export async function refuseParameters({ query }: FastifyRequest): Promise<void> {
  const [key] = Object.keys(query as Record<string, unknown>);
  if (key !== undefined) throw invalid(key, 'unknown parameter; this route takes none');
}
