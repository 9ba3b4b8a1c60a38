// Notes at the beginning of each request which changes of rights this process knows. A stream that is opened meanwhile can then tell
// whether the rights that its request was let in with are still the same.

import type { FastifyInstance } from 'fastify';
import type { Principal } from '../../auth/principal.ts';

declare module 'fastify' {
  interface FastifyRequest {
    rightsMark: number;
  }
}

export interface RightsChanges {
  readonly mark: number;
  changedSince(mark: number, principal: Principal): boolean;
}

/** Must come before the plugin that looks at credentials. */
export function rightsMark(app: FastifyInstance, rights: RightsChanges): void {
  app.decorateRequest('rightsMark', 0);
  app.addHook('onRequest', (request, _reply, done) => {
    request.rightsMark = rights.mark;
    done();
  });
}
