// What the protocols of other programs have in common: their routes read bodies of any type themselves, and their errors have a form of
// their own. A status that asks for the same again stands only where that helps.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from './errors.ts';
import { headersOf, translate } from './plugins/problems.ts';

export interface ErrorForm {
  /** Called before an error is sent: most senders show it to nobody. */
  onRefused?(request: FastifyRequest, problem: HttpError): void;
  /** Sends an error whose headers are set. `error` is what was thrown. */
  sendError(request: FastifyRequest, reply: FastifyReply, problem: HttpError, error: unknown): FastifyReply;
}

/** Bodies are read by the routes themselves, whatever their content type says: `curl -d` says that it sends a form. */
export function takeAnyBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, body, done) => done(null, body));
}

/** Registers the routes of a protocol. */
export function protocolScope(
  app: FastifyInstance,
  { onRefused, sendError }: ErrorForm,
  routes: (scope: FastifyInstance) => void,
): void {
  app.register(async (scope) => {
    takeAnyBody(scope);
    scope.setErrorHandler((error: FastifyError, request, reply) => {
      // Nobody is left to read an answer, and whoever went away in the middle sends the same again by himself.
      if (request.raw.socket.destroyed) return reply.hijack();
      const known = translate(error);
      if (!known) request.log.error({ err: error }, 'unexpected error');
      const problem = known ?? new HttpError('internal', 'something went wrong in the gateway');
      onRefused?.(request, problem);
      return sendError(request, reply.headers(headersOf(problem)), problem, error);
    });
    routes(scope);
  });
}

/** The channel that a sender names in X-Channel. */
export function channelHeader({ headers }: FastifyRequest): string | undefined {
  const channel = headers['x-channel'];
  return typeof channel === 'string' ? channel : undefined;
}
