// POST /mcp: the gateway as an MCP server, over streamable HTTP without sessions. What a request may do and take is decided as on every
// other route; an error of the route itself has the form of JSON-RPC, with the status and the code of the table.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../mcp/caller.ts';
import type { McpEndpoint, McpServices } from '../mcp/server.ts';
import { beginRun, idSchema, RUN_BODY_BYTES, type RunStartServices } from './begin-run.ts';
import { HttpError } from './errors.ts';
import { jsonScope } from './json-body.ts';
import { headersOf, translate } from './plugins/problems.ts';
import { askedIn, runSchema } from './process.ts';
import { readableRun } from './runs.ts';

/** start_run may also ask an agent. */
const startSchema = runSchema.extend({ agent: idSchema.optional() });
/** The code that JSON-RPC leaves to servers. */
const SERVER_ERROR = -32_000;

export interface McpRouteServices extends Omit<McpServices, 'told'>, RunStartServices {
  /** Where people reach the page; undefined if only the request tells. */
  publicUrl: string | undefined;
  basePath: string;
}

export function mcpRoute(app: FastifyInstance, services: McpRouteServices): void {
  const { service, publicUrl, basePath } = services;
  const page = publicUrl?.replace(/\/$/, '');
  let loading: Promise<McpEndpoint> | undefined;
  const endpoint = (): Promise<McpEndpoint> => {
    loading ??= import('../mcp/server.ts')
      .then(({ McpEndpoint: Endpoint }) => new Endpoint({ ...services, told }))
      .catch((error) => {
        loading = undefined; // the next request tries again
        throw error;
      });
    return loading;
  };

  jsonScope(app, (scope) => {
    scope.setErrorHandler((error: FastifyError, request, reply) => {
      if (request.raw.socket.destroyed) return reply.hijack(); // nobody is left to read an answer
      return sendError(reply, knownOf(error));
    });
    scope.post('/mcp', { bodyLimit: RUN_BODY_BYTES, config: { needs: 'read' } }, async (request, reply) => {
      const { body } = request;
      // A hundred calls in one request would share one place, and clients of today send no batches.
      if (Array.isArray(body)) throw new HttpError('invalid_body', 'send one message at a time, not a batch');
      request.bodyIsUsed();
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      if (request.raw.socket.destroyed) gone.abort(); // it may have closed before
      const answer = await (await endpoint()).serve(
        webRequest(request, gone.signal),
        body,
        callerOf(request, gone.signal),
      );
      return reply.send(answer);
    });
  });

  function callerOf(request: FastifyRequest, gone: AbortSignal): Caller {
    return {
      get access() {
        return request.access;
      },
      address: request.ip,
      gone,
      page: `${page ?? `${request.protocol}://${request.host}${basePath}`}/`,
      confirmRights: () => request.confirmRights(),
      withRoom: (bytes, work) => request.withRoom(bytes, work),
      run: (id, owner) => readableRun(service, request.access, id, owner === undefined ? {} : { owner }),
      startRun: async (body) => beginRun(request, undefined, services, askedIn(body, startSchema)),
    };
  }

  function told(error: unknown): string {
    const { code, message } = knownOf(error as FastifyError);
    return `${code}: ${message}`;
  }

  function knownOf(error: FastifyError): HttpError {
    const known = translate(error);
    if (known) return known;
    app.log.error({ err: error }, 'unexpected error');
    return new HttpError('internal', 'something went wrong here; the log of the gateway says what');
  }
}

/** With the headers that the protocol has. A credential has done its part, and goes no further. */
function webRequest({ headers, host }: FastifyRequest, signal: AbortSignal): Request {
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === 'string' && /^(?:accept|content-type|mcp-.*)$/.test(name)
      ? [[name, value] as [string, string]]
      : [],
  );
  return new Request(`http://${URL.canParse(`http://${host}`) ? host : 'localhost'}/mcp`, {
    method: 'POST',
    headers: kept,
    signal,
  });
}

function sendError(reply: FastifyReply, problem: HttpError): FastifyReply {
  const { code, status, message, field } = problem;
  const data = { code, ...(field !== undefined && { field }) };
  const error = { code: SERVER_ERROR, message: `${code}: ${message}`, data };
  return reply
    .code(status)
    .headers(headersOf(problem))
    .type('application/json')
    .send(JSON.stringify({ jsonrpc: '2.0', error, id: null }));
}
