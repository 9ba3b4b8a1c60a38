// Sends every error as application/problem+json (RFC 9457) with a stable code. A client never gets the text of an exception.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Problem } from '@llm-streamer/shared/api-types.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { ConnectionError, FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import { TooManyAttempts } from '../../auth/throttle.ts';
import { isAnswering } from '../claim-socket.ts';
import { HttpError, isErrorCode } from '../errors.ts';
import { NOSNIFF } from './nosniff.ts';

export const RETRY_AFTER_S = '2';
const PROBLEM = 'application/problem+json';

export function problems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | CodedError, request, reply) => {
    const known = translate(error);
    if (known) return sendProblem(reply, known);
    request.log.error({ err: error }, 'unexpected error');
    return sendProblem(
      reply,
      new HttpError('internal', 'something went wrong here; the log of the gateway says what'),
    );
  });
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsAt(app, request.url.split('?', 1)[0] as string);
    const missing = new HttpError('not_found', 'there is nothing at this path');
    if (allowed.length === 0 || allowed.includes(request.method)) return sendProblem(reply, missing);
    const headers = { allow: allowed.join(', ') };
    const detail = `this path answers ${headers.allow} only`;
    return sendProblem(reply, new HttpError('method_not_allowed', detail, { headers }));
  });
  app.server.on('checkExpectation', refuseExpectation);
}

/** The methods of a path without parameters. Other characters in the path could be read as a pattern of the router. */
function methodsAt(app: FastifyInstance, url: string): string[] {
  if (!/^[\w/.-]+$/.test(url)) return [];
  return (['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'] as const).filter((method) =>
    app.hasRoute({ method, url }),
  );
}

/** Answers a path that cannot be decoded. No route and no hook gets such a request. */
export function answerBadUrl(_error: FastifyError, _request: unknown, reply: FastifyReply): void {
  sendProblem(reply, new HttpError('invalid_url', 'the path is not well encoded, or too long'));
}

/** Answers a request that expects something else than `100-continue`. Node passes it to no route. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const problem = new HttpError('expectation_failed', 'expect 100-continue, or nothing', {
    field: 'Expect',
  });
  response.writeHead(problem.status, { 'content-type': PROBLEM, ...NOSNIFF }).end(textOf(problem));
}

/** Answers what Node's parser refuses. There is no request yet, only a socket, which is closed after the answer. */
export function answerMalformed(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (isAnswering(socket)) return void socket.destroy();
  const problem = malformation(error.code);
  const body = textOf(problem);
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nConnection: close\r\n` +
        `X-Content-Type-Options: nosniff\r\nContent-Type: ${PROBLEM}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  socket.destroySoon();
}

/** Whether a client has begun to speak HTTP/2, as gRPC does. */
export function isHttp2({ code }: ConnectionError): boolean {
  return code === 'HPE_PAUSED_H2_UPGRADE';
}

function malformation(code: string): HttpError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HttpError('headers_too_large', 'the path and the headers are over the limit of 64 kB');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpError('request_timeout', 'the request took too long to arrive');
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
    case 'HPE_INVALID_TRANSFER_ENCODING':
      return new HttpError('invalid_header', 'send one Content-Length, a whole number, or chunks', {
        field: 'Content-Length',
      });
    default:
      return new HttpError('malformed_request', 'this is not HTTP');
  }
}

function sendProblem(reply: FastifyReply, error: HttpError): FastifyReply {
  return reply
    .code(error.status)
    .headers(NOSNIFF)
    .headers(headersOf(error))
    .type(PROBLEM)
    .send(textOf(error));
}

/** Whether the same may be taken later. */
export function isRetryable({ status }: HttpError): boolean {
  return status === 429 || status === 503;
}

/** The headers of an error, whatever its form. */
export function headersOf(error: HttpError): Record<string, string> {
  return {
    ...(isRetryable(error) && { 'retry-after': RETRY_AFTER_S }),
    ...(error.status === 401 && { 'www-authenticate': 'Bearer' }), // `Basic` would make browsers ask in a window of their own
    ...error.headers,
  };
}

function textOf({ status, code, message, field, more }: HttpError): string {
  const body: Problem = {
    ...more,
    type: 'about:blank',
    title: code.replaceAll('_', ' '),
    status,
    code,
    detail: message,
    ...(field !== undefined && { field }),
  };
  return JSON.stringify(body);
}

/** What a client is told of an error; undefined if it is a fault of the gateway. */
export function translate(error: FastifyError | CodedError): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (error instanceof TooManyAttempts)
    return new HttpError('too_many_attempts', error.message, {
      headers: { 'retry-after': `${error.retryAfterSeconds}` },
    });
  if (error instanceof CodedError) {
    if (!isErrorCode(error.code)) return undefined;
    return new HttpError(error.code, error.message, { field: error.field });
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new HttpError('body_too_large', 'the body is larger than this path takes');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HttpError('unsupported_media_type', 'send application/json');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new HttpError('invalid_json', 'the body is not JSON');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new HttpError('invalid_body', 'the body is missing; send a JSON object');
    default:
      return error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
        ? new HttpError('invalid_request', 'the request cannot be understood')
        : undefined;
  }
}
