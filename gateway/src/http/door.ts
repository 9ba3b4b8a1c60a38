// /v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings and /v1/models: calls of OpenAI clients, which go to their service
// and come back as they are. The gateway's own errors have the form of that protocol.

import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasOwnKey, ownKeyWins, sourceOf } from '../door/caller.ts';
import type { Door } from '../door/door.ts';
import { ENDPOINTS, type Endpoint } from '../door/endpoints.ts';
import { HOPS_HEADER, isOwnCredential, KEY_HEADER } from '../door/headers.ts';
import { sharerOf } from '../sharer-of.ts';
import { HttpError } from './errors.ts';
import { RETRY_AFTER_S } from './plugins/problems.ts';
import { protocolScope } from './protocol-scope.ts';
import { readBody } from './read-body.ts';

/** An answer of a service is data, also where a browser is sent to it: nothing in it runs on the gateway's own site. */
const DATA_ONLY = { 'content-security-policy': "sandbox; default-src 'none'" } as const;
/** A long conversation with a few pictures. */
const MAX_BODY_BYTES = 33_554_432;

export function doorRoutes(app: FastifyInstance, door: Door): void {
  protocolScope(app, { sendError }, (scope) => {
    for (const endpoint of ENDPOINTS) {
      // The list of models is a GET, which a page that has rebound its name could read.
      const anyName = endpoint.method === 'POST' && ({ anyName: true } as const);
      const config = { needs: 'run', ...anyName, keyHeader: KEY_HEADER, parameters: 'any' } as const;
      scope.route({
        method: endpoint.method,
        url: `/v1${endpoint.path}`,
        config,
        handler: (request, reply) => serve(endpoint, request, reply),
      });
    }
  });

  async function serve(endpoint: Endpoint, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { raw, headers } = request;
    refusePacked(request);
    const gone = new AbortController();
    const leave = () => gone.abort(new HttpError('invalid_request', 'the client has gone'));
    raw.socket.once('close', leave);
    if (raw.socket.destroyed) leave(); // while its key was looked up
    try {
      const body = endpoint.method === 'POST' ? await readBody(request, MAX_BODY_BYTES) : undefined;
      let call: Awaited<ReturnType<Door['open']>>;
      try {
        await request.confirmRights(); // the handler began before the body was there
        gone.signal.throwIfAborted();
        const { access } = request;
        call = await door.open(
          {
            method: request.method,
            path: endpoint.path,
            query: queryOf(raw),
            headers: raw.rawHeaders,
            hops: hopsOf(headers[HOPS_HEADER]),
            body,
            dialect: endpoint.dialect,
            owner: access.principal.owner,
            sharer: sharerOf(access.principal, request.ip),
            source: sourceOf(access, headers),
            ownKey: hasOwnKey(access, headers),
            ownKeyWins: ownKeyWins(access, headers),
          },
          gone.signal,
        );
      } finally {
        request.bodyIsUsed(); // the service has it, and may answer for long
      }
      reply.hijack();
      await call.pass(reply.raw, addedTo(reply));
    } finally {
      raw.socket.off('close', leave);
    }
  }
}

function queryOf({ url = '' }: IncomingMessage): string {
  const at = url.indexOf('?');
  const query = at < 0 ? '' : url.slice(at);
  if (isOwnCredential(query))
    throw new HttpError('invalid_query', 'send a key of the gateway in a header: the service would get it');
  return query;
}

function hopsOf(header: string | string[] | undefined): number {
  return typeof header === 'string' && /^\d{1,3}$/.test(header) ? Number(header) : 0;
}

/** A body that cannot be read would go to a service that was not meant. */
function refusePacked({ headers }: FastifyRequest): void {
  const packing = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (packing !== '' && packing !== 'identity')
    throw new HttpError('unsupported_encoding', 'send the body as it is, not compressed', {
      field: 'Content-Encoding',
      headers: { 'accept-encoding': 'identity' },
    });
}

/** What the gateway has to say to browsers: whether another site may read this, and that it is data. */
function addedTo(reply: FastifyReply): Record<string, string> {
  const own = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)] as const);
  return { ...Object.fromEntries(own), ...DATA_ONLY };
}

function sendError(
  _request: FastifyRequest,
  reply: FastifyReply,
  { code, status, message, field }: HttpError,
): FastifyReply {
  if (code === 'service_unreachable') reply.header('retry-after', RETRY_AFTER_S); // clients of OpenAI repeat a 502
  const type = status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error';
  return reply
    .code(status)
    .type('application/json')
    .send(JSON.stringify({ error: { message, type, param: field ?? null, code } }));
}
