// POST /v1/logs, /v1/traces and /v1/metrics: OTLP over HTTP. Answers in the protocol's own form and in the request's encoding. A status that
// tells the exporter to send the same again stands only where that helps; what is refused for good is said on the gateway's log.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { CONTENT_TYPES, type Encoding, statusBody, successBody } from '../otlp/answers.ts';
import { SIGNALS, type Signal } from '../otlp/messages.ts';
import type { Receiver } from '../otlp/receiver.ts';
import type { Refusals } from '../otlp/refusals.ts';
import { HttpError } from './errors.ts';
import { NOSNIFF } from './plugins/nosniff.ts';
import { translate } from './plugins/problems.ts';
import { readBody } from './read-body.ts';
import { Turns } from './turns.ts';

const RETRY_AFTER_S = '2';
const RETRYABLE: readonly number[] = [429, 502, 503, 504];
const PATHS = '/v1/traces, /v1/logs or /v1/metrics';
/** Where Langfuse's SDKs send, whose base URL is then all that has to be set. */
const LANGFUSE_PATH = '/api/public/otel/v1/traces';

export interface OtlpServices {
  broker: Broker;
  entryBytes: number;
  bodyBytes: number;
  content: boolean;
  refusals: Refusals;
  registry: Registry;
}

export function otlpRoutes(app: FastifyInstance, services: OtlpServices): void {
  const { broker, entryBytes, bodyBytes, content, refusals, registry } = services;
  const turns = new Turns();
  const records = new Counter({
    name: 'llm_streamer_otlp_records_total',
    help: 'Log records, spans and points of metrics that came by OpenTelemetry.',
    labelNames: ['signal', 'outcome'],
    registers: [registry],
  });
  const refused = new Counter({
    name: 'llm_streamer_otlp_refused_total',
    help: 'Requests of OpenTelemetry that were refused as a whole.',
    labelNames: ['code'],
    registers: [registry],
  });

  let loading: Promise<Receiver> | undefined;
  /** The decoder and the mapper are loaded with the first request. */
  const receiver = (): Promise<Receiver> => {
    loading ??= import('../otlp/receiver.ts').then(
      (module) => new module.Receiver({ broker, entryBytes, bodyBytes, content }),
    );
    return loading;
  };

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the body itself, up to its own limit.
    scope.addContentTypeParser('*', (_request, body, done) => done(null, body));
    scope.setErrorHandler((error: FastifyError, request, reply) => {
      const known = translate(error);
      // A client that went away in the middle sends it again by itself.
      if (request.raw.socket.destroyed) return reply.hijack();
      if (!known) request.log.error({ err: error }, 'unexpected error');
      const problem = known ?? new HttpError('internal', 'something went wrong here');
      refused.inc({ code: problem.code });
      const path = request.routeOptions.url ?? '';
      refusals.tell(
        `${path} ${problem.code}`,
        `refused ${path} of ${request.ip}, ${fateOf(problem.status)}: ${problem.code}: ${problem.message}`,
      );
      return sendStatus(request, reply, problem);
    });

    const take = async (signal: Signal, request: FastifyRequest, reply: FastifyReply) => {
      const { headers } = request;
      const encoding = encodingOf(headers);
      const packing = packingOf(headers);
      // Otherwise each request would wait for the log in memory.
      if (!broker.status().ready)
        throw new BrokerUnavailable('the log cannot be reached; send the same again');
      const channel = headers['x-channel'];
      const bytes = await readBody(request, bodyBytes, 'OTLP_BODY_BYTES');
      const outcome = await turns.run(async () => {
        await request.confirmRights(); // the handler began before the body was there
        return (await receiver()).receive({
          signal,
          body: bytes,
          encoding,
          packing,
          access: request.access,
          channel: typeof channel === 'string' ? channel : undefined,
        });
      });
      const { accepted, rejected, ignored, message } = outcome;
      records.inc({ signal, outcome: 'accepted' }, accepted);
      records.inc({ signal, outcome: 'ignored' }, ignored);
      records.inc({ signal, outcome: 'rejected' }, Math.max(0, rejected - ignored));
      if (message !== undefined)
        refusals.tell(`${signal} partial`, `${rejected} ${signal} of ${request.ip} rejected: ${message}`);
      return reply.type(CONTENT_TYPES[encoding]).send(successBody(encoding, signal, rejected, message));
    };
    const config = { needs: 'publish', anyName: true } as const;
    for (const signal of SIGNALS)
      scope.post(`/v1/${signal}`, { config }, (request, reply) => take(signal, request, reply));
    scope.post(LANGFUSE_PATH, { config }, (request, reply) => take('traces', request, reply));
    scope.post('/', { config: { ...config, needs: 'nothing' } }, () => {
      // An endpoint of one signal is used as it is: without a path it leads here.
      throw new HttpError('not_found', `there is nothing at this path; OpenTelemetry is taken at ${PATHS}`);
    });
  });
}

function fateOf(status: number): string {
  return RETRYABLE.includes(status) ? 'which may send it again' : 'which drops it';
}

function sendStatus(request: FastifyRequest, reply: FastifyReply, problem: HttpError): FastifyReply {
  const { status, headers, message } = problem;
  const encoding = isProtobuf(request.headers) ? 'protobuf' : 'json';
  if (RETRYABLE.includes(status) && headers['retry-after'] === undefined)
    reply.header('retry-after', RETRY_AFTER_S);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply
    .code(status)
    .headers(NOSNIFF)
    .headers(headers)
    .type(CONTENT_TYPES[encoding])
    .send(statusBody(encoding, status, message));
}

function typeOf(headers: FastifyRequest['headers']): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function isProtobuf(headers: FastifyRequest['headers']): boolean {
  return ['application/x-protobuf', 'application/protobuf'].includes(typeOf(headers));
}

function encodingOf(headers: FastifyRequest['headers']): Encoding {
  if (isProtobuf(headers)) return 'protobuf';
  if (typeOf(headers) === 'application/json') return 'json';
  if (typeOf(headers).startsWith('application/grpc'))
    throw new HttpError(
      'unsupported_media_type',
      'no gRPC here; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
    );
  throw new HttpError('unsupported_media_type', 'send application/x-protobuf or application/json', {
    field: 'Content-Type',
    headers: { 'accept-post': 'application/x-protobuf, application/json' },
  });
}

function packingOf(headers: FastifyRequest['headers']): 'identity' | 'gzip' | 'zstd' {
  const named = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (named === '' || named === 'identity') return 'identity';
  if (named === 'gzip' || named === 'zstd') return named;
  throw new HttpError('unsupported_encoding', 'compress with gzip or zstd, or not at all', {
    field: 'Content-Encoding',
    headers: { 'accept-encoding': 'gzip, zstd, identity' },
  });
}
