// Once the gateway has begun to stop, requests are refused with the code `shutdown`. Streams refuse in their own form.

import type { FastifyInstance } from 'fastify';
import { HttpError } from '../errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route itself refuses requests while the gateway is stopping. */
    refusesItself?: true;
  }
}

/** Needs `return503OnClosing: false`: otherwise Fastify would answer first, and not with problem+json. */
export function shutdown(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onRequest', async ({ routeOptions }) => {
    if (closing && !routeOptions.config.refusesItself)
      throw new HttpError('shutdown', 'this gateway is stopping; ask again');
  });
}
