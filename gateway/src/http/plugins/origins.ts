// Says by which host names the gateway may be addressed, which prevents DNS rebinding, and which sites may use it: changes come
// only from the gateway's own page, or from origins that the operator has allowed.

import { isIPv4, isIPv6 } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LOCAL_HOSTS } from '../../config.ts';
import { HttpError } from '../errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Programs may address this route by any name. A page that has rebound its name to this machine cannot: on a POST browsers send
     * `Origin`, also to the page's own site, and then the name counts. A GET may come from such a page without it: so a route that
     * answers GET says this only if its answer tells nothing.
     */
    anyName?: true;
    /**
     * Kubernetes and Prometheus address this route by the IP address of a pod. A page that has rebound its name still sends that
     * name, so an address in `Host` is never such a page's.
     */
    anyAddress?: true;
  }
}

export interface OriginPolicy {
  /** Host names, lower case; `*` for any. */
  hosts: readonly string[];
  /** Origins of other sites that may read and write; `*` for any. */
  origins: readonly string[];
  /** The address that people use, if it is known. */
  publicUrl?: string | undefined;
}

export const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];
/** Never with `access-control-allow-credentials`: a page of another site sends a key of its own, and never somebody's cookie. */
const ALLOWED_HEADERS = [
  'authorization, content-type, last-event-id, prefer, publisher-id, publisher-seq, traceparent, tracestate',
  // What the OpenAI client sends from a page, and what the door for it takes.
  'openai-organization, openai-project, x-stainless-arch, x-stainless-helper-method, x-stainless-lang, x-stainless-os',
  'x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version',
  'x-stainless-timeout, llm-streamer-key, llm-streamer-source',
  // What an MCP client sends from a page.
  'mcp-protocol-version, mcp-method, mcp-name',
].join(', ');

export function origins(app: FastifyInstance, { hosts, origins: allowed, publicUrl }: OriginPolicy): void {
  app.addHook('onRequest', async (request, reply) => {
    const names = valuesOf('host', request.raw.rawHeaders);
    if (names.length > 1 || (names.length === 0 && request.raw.httpVersion === '1.1'))
      throw new HttpError('invalid_header', 'send one Host header', {
        field: 'Host',
        headers: { connection: 'close' },
      });
    const host = hostName(names[0] ?? '');
    const { origin, 'sec-fetch-site': site } = request.headers;
    const isProgram = origin === undefined && site === undefined;
    const { anyName, anyAddress } = request.routeOptions.config;
    const named = !(isProgram && anyName) && !(anyAddress && isAddress(host));
    if (named && !hosts.includes('*') && !hosts.includes(host))
      throw new HttpError('host_forbidden', `not known by this name; add it to ALLOWED_HOSTS`, {
        field: 'host',
      });

    if (origin === undefined || isOwnOrigin(request, origin, publicUrl)) return;
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
    'access-control-expose-headers': 'next, done, gaps, channels, retry-after',
    vary: 'origin',
  };
}

function preflight(reply: FastifyReply): FastifyReply {
  return reply
    .headers({
      'access-control-allow-methods': 'GET, POST, PATCH, DELETE',
      'access-control-allow-headers': ALLOWED_HEADERS,
      'access-control-max-age': '600',
    })
    .code(204)
    .send();
}

/** Whether `origin` is that of the gateway's own page. The scheme counts where it is known. */
export function isOwnOrigin(request: FastifyRequest, origin: string, publicUrl: string | undefined): boolean {
  const url = URL.parse(origin); // null for "null", the origin of a sandboxed page or a file
  const { host } = request.headers;
  if (url === null || url.host !== withoutDefaultPort(host, url.protocol)) return false;
  const scheme = schemeOf(request, publicUrl);
  return scheme === undefined || url.protocol === `${scheme}:`;
}

/** What the browser sees: undefined behind a proxy of which the gateway knows nothing. */
function schemeOf({ headers, protocol }: FastifyRequest, publicUrl: string | undefined): string | undefined {
  const known = publicUrl === undefined ? undefined : new URL(publicUrl);
  if (known !== undefined && known.host === headers.host?.toLowerCase()) return known.protocol.slice(0, -1);
  // A header that is not from a trusted proxy does not change `protocol`.
  if (headers['x-forwarded-proto'] === protocol) return protocol;
  // By a name of this machine a browser on it talks to the gateway itself: a proxy would have said for whom it speaks.
  const isProxied = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  return !isProxied && LOCAL_HOSTS.includes(hostName(headers.host ?? '')) ? protocol : undefined;
}

/** Origins never hold it, and some clients send it in `Host`. */
function withoutDefaultPort(host: string | undefined, protocol: string): string | undefined {
  return host?.toLowerCase().replace(protocol === 'https:' ? /:443$/ : /:80$/, '');
}

/** A configured host as a client names it: lower case, without the port, an IPv6 address in brackets. */
export function hostOf(host: string): string {
  return isIPv6(host) ? `[${host.toLowerCase()}]` : hostName(host);
}

/** `host` as `hostName` gives it. */
function isAddress(host: string): boolean {
  return isIPv4(host) || (/^\[.*\]$/.test(host) && isIPv6(host.slice(1, -1)));
}

/** Without the port; an IPv6 address keeps its brackets. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}
