// Lets a request through if its principal may do what the route needs. Each route says so in its own config, so that no spelling of a
// URL gets around the rule; a route that says nothing stops the start. It looks at headers only, and before anything is read.

import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Access, OPEN_ACCESS } from '../../auth/access.ts';
import { type Gate, type Need, openAccess } from '../../auth/gate.ts';
import type { Principal } from '../../auth/principal.ts';
import type { RightsChanges } from './rights-mark.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    needs?: Need;
    /**
     * Answers in the form of a stream while it cannot be known who asks: an EventSource gives up for good on any status but 200.
     * It may throw an error for other clients.
     */
    answerWhileUnknown?: (reply: FastifyReply, error: BrokerUnavailable) => void;
    /** A header, in lower case, whose value is the bearer credential if it is there: `Authorization` is then for somebody else. */
    keyHeader?: string;
  }
  interface FastifyRequest {
    readonly access: Access;
    /** The same as `access.principal`. */
    readonly principal: Principal;
    /** What stands behind `access`: null until the hook has decided, and on routes that need nothing. */
    grantedAccess: Access | null;
    /**
     * Looks again who asks, if his rights may be others by now. Each handler begins after such a look; one that has waited for long
     * calls it before it writes or answers, and takes `access` anew. @throws CodedError as the gate does
     */
    confirmRights(): Promise<void>;
  }
}

/** `rights`: the changes that this process knows; undefined where `AUTH` is off. */
export function authorization(app: FastifyInstance, gate: Gate, rights: RightsChanges | undefined): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.needs === undefined) throw new Error(`the route ${method} ${url} does not say what it needs`);
  });
  app.decorateRequest('grantedAccess', null);
  app.decorateRequest('access', { getter: accessOf });
  app.decorateRequest('principal', {
    getter(this: FastifyRequest) {
      return accessOf.call(this).principal;
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { needs, answerWhileUnknown } = request.routeOptions.config;
    if (request.is404 || needs === undefined || needs === 'nothing') return done();
    if (gate.mode === 'off') {
      request.grantedAccess = openAccess(needs);
      return done();
    }
    decide(request, needs)
      .then((access) => {
        request.grantedAccess = access;
        done();
      })
      .catch((error: unknown) => {
        if (!(error instanceof BrokerUnavailable) || answerWhileUnknown === undefined) throw error;
        answerWhileUnknown(reply, error);
      })
      .catch(done);
  });

  // A body may come half a minute after its head, and a large answer waits for room: by then somebody may have lost his rights.
  app.addHook('preHandler', (request) => request.confirmRights());
  app.decorateRequest('confirmRights', async function (this: FastifyRequest) {
    const { grantedAccess } = this;
    const { needs } = this.routeOptions.config;
    if (rights === undefined || grantedAccess === null || needs === undefined || needs === 'nothing') return;
    const { principal } = grantedAccess;
    if (principal.expires > Date.now() && !rights.changedSince(this.rightsMark, principal)) return;
    this.rightsMark = rights.mark; // first, since what is found may change in the meantime
    this.grantedAccess = await decide(this, needs);
  });

  // What one may read must not be kept where the next one would find it. Streams write their own head.
  app.addHook('onSend', (request, reply, _payload, done) => {
    const { needs = 'nothing' } = request.routeOptions.config ?? {};
    if (needs !== 'nothing' && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    done();
  });

  function decide(request: FastifyRequest, needs: Exclude<Need, 'nothing'>): Promise<Access> {
    const { raw, ip, method, protocol, routeOptions } = request;
    return gate.accessFor({
      needs,
      ...credentialHeaders(request),
      protocol,
      peer: raw.socket.remoteAddress ?? '',
      address: ip,
      route: `${method} ${routeOptions.url}`,
    });
  }

  function credentialHeaders({ headers, raw: { rawHeaders }, routeOptions }: FastifyRequest) {
    const { keyHeader } = routeOptions.config;
    const key = keyHeader === undefined ? undefined : headers[keyHeader];
    if (typeof key !== 'string') return { headers, rawHeaders };
    const authorization = `Bearer ${key}`;
    return { headers: { ...headers, authorization }, rawHeaders: ['Authorization', authorization] };
  }

  function accessOf(this: FastifyRequest): Access {
    const { grantedAccess } = this;
    if (grantedAccess !== null) return grantedAccess;
    if (gate.mode === 'off') return OPEN_ACCESS;
    throw new Error(`nobody has asked who makes ${this.method} ${this.routeOptions.url}`);
  }
}
