// Refuses a request with a query parameter that its route does not know, and names it: a misspelt one would otherwise be answered as
// if it had been heeded. A route without `parameters` in its config takes none.

import type { FastifyInstance } from 'fastify';
import { type Params, refuseUnknown } from '../../parameters.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The names of the query parameters that the route knows; `any` for files, whose query is for the page. */
    parameters?: readonly string[] | 'any';
  }
}

export function parameters(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ is404, query, routeOptions }) => {
    const { parameters: known = [] } = routeOptions.config;
    if (!is404 && known !== 'any') refuseUnknown(query as Params, known);
  });
}
