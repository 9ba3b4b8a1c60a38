// From the moment the gateway begins to stop, requests get a problem with a code; streams say it in their own way.

import type { FastifyInstance } from 'fastify';
import { HttpError } from '../errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route itself says that the gateway is stopping. */
    saysGoodbye?: true;
  }
}

/** Needs `return503OnClosing: false`: the framework's own answer would come first, and is no problem+json. */
export function shutdown(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onRequest', async ({ routeOptions }) => {
    if (closing && !routeOptions.config.saysGoodbye)
      throw new HttpError('shutdown', 'this gateway is stopping; ask again');
  });
}
