// Says by which host names the gateway may be addressed, which prevents DNS rebinding, and which sites may use it: changes come
// only from the gateway's own page, or from origins that the operator has allowed.

import { isIPv6 } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from '../errors.ts';

export interface OriginPolicy {
  /** Host names, lower case; `*` for any. */
  hosts: readonly string[];
  /** Origins of other sites that may read and write; `*` for any. */
  origins: readonly string[];
}

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];
const ALLOWED_HEADERS = 'content-type, last-event-id, prefer, publisher-id, publisher-seq';

export function origins(app: FastifyInstance, { hosts, origins: allowed }: OriginPolicy): void {
  app.addHook('onRequest', async (request, reply) => {
    const names = valuesOf('host', request.raw.rawHeaders);
    if (names.length > 1 || (names.length === 0 && request.raw.httpVersion === '1.1'))
      throw new HttpError('invalid_header', 'send one Host header', {
        field: 'Host',
        headers: { connection: 'close' },
      });
    const host = hostName(names[0] ?? '');
    if (!hosts.includes('*') && !hosts.includes(host))
      throw new HttpError('host_forbidden', `not known by this name; add it to ALLOWED_HOSTS`, {
        field: 'host',
      });

    const { origin } = request.headers;
    if (origin === undefined || isOwn(request, origin)) return;
    if (allowed.includes('*') || allowed.includes(origin)) {
      reply.headers(corsHeaders(origin));
      if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined)
        return preflight(reply);
    } else if (!SAFE_METHODS.includes(request.method)) {
      throw new HttpError(
        'origin_forbidden',
        'another site may not do this; add its origin to CORS_ORIGINS',
        {
          field: 'origin',
        },
      );
    }
  });
}

/**
 * All values of a header. `rawHeaders` are names and values by turns. Node's `headersDistinct` would stay in memory with its
 * request for as long as a stream lasts.
 */
function valuesOf(name: string, rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

/** The headers that a page of `origin` needs to read an answer. */
function corsHeaders(origin: string): Record<string, string> {
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'next, done, gaps, retry-after',
    vary: 'origin',
  };
}

function preflight(reply: FastifyReply): FastifyReply {
  return reply
    .headers({
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': ALLOWED_HEADERS,
      'access-control-max-age': '600',
    })
    .code(204)
    .send();
}

function isOwn({ headers }: FastifyRequest, origin: string): boolean {
  try {
    return new URL(origin).host === headers.host?.toLowerCase();
  } catch {
    return false; // the origin of a sandboxed page or a file is "null"
  }
}

/** A configured host as a client names it: lower case, without the port, an IPv6 address in brackets. */
export function hostOf(host: string): string {
  return isIPv6(host) ? `[${host.toLowerCase()}]` : hostName(host);
}

/** Without the port; an IPv6 address keeps its brackets. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}
