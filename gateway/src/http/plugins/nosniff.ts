// Every answer says that a browser must take its content for what the answer calls it, and never for a page or a script.

import type { FastifyInstance } from 'fastify';

export const NOSNIFF = { 'x-content-type-options': 'nosniff' } as const;

export function nosniff(app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(NOSNIFF);
  });
}
