// Sets a header on every answer that keeps browsers from guessing: the content is never treated as a page or a script unless its
// type says so.

import type { FastifyInstance } from 'fastify';

export const NOSNIFF = { 'x-content-type-options': 'nosniff' } as const;

export function nosniff(app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(NOSNIFF);
  });
}
