// Lets a request through if its principal may do what the route needs. Each route says so in its own config, so that no spelling of a
// URL gets around the rule; a route that says nothing stops the start. It looks at headers only, and before anything is read.

import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Access, OPEN_ACCESS } from '../../auth/access.ts';
import { type Gate, type Need, openAccess } from '../../auth/gate.ts';
import type { Principal } from '../../auth/principal.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    needs?: Need;
  }
  interface FastifyRequest {
    /** @throws BrokerUnavailable on a route that `refusesItself`, if it cannot be known now who asks */
    readonly access: Access;
    /** The same as `access.principal`. */
    readonly principal: Principal;
    /** What the hook has found. */
    decided: Access | BrokerUnavailable | null;
  }
}

export function authorization(app: FastifyInstance, gate: Gate): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.needs === undefined) throw new Error(`the route ${method} ${url} does not say what it needs`);
  });
  app.decorateRequest('decided', null);
  app.decorateRequest('access', { getter: accessOf });
  app.decorateRequest('principal', {
    getter(this: FastifyRequest) {
      return accessOf.call(this).principal;
    },
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const { needs, refusesItself } = request.routeOptions.config;
    if (request.is404 || needs === undefined || needs === 'nothing') return done();
    if (gate.mode === 'off') {
      request.decided = openAccess(needs);
      return done();
    }
    gate
      .accessFor({
        needs,
        headers: request.headers,
        rawHeaders: request.raw.rawHeaders,
        peer: request.raw.socket.remoteAddress ?? '',
        address: request.ip,
        route: `${request.method} ${request.routeOptions.url}`,
      })
      .catch((error: unknown) => {
        // An EventSource gives up for good on any status but 200, so a stream says in its own form that it is to come again.
        if (error instanceof BrokerUnavailable && refusesItself) return error;
        throw error;
      })
      .then((decided) => {
        request.decided = decided;
        done();
      })
      .catch(done);
  });

  function accessOf(this: FastifyRequest): Access {
    const { decided } = this;
    if (decided === null) {
      if (gate.mode === 'off') return OPEN_ACCESS;
      throw new Error(`nobody has asked who makes ${this.method} ${this.routeOptions.url}`);
    }
    if (decided instanceof BrokerUnavailable) throw decided;
    return decided;
  }
}
