// POST /v1/logs, /v1/traces and /v1/metrics: OTLP over HTTP. Answers in the protocol's own form and in the request's encoding. A status that
// tells the exporter to send the same again stands only where that helps; what is refused for good is said on the gateway's log.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { CONTENT_TYPES, type Encoding, statusBody, successBody } from '../otlp/answers.ts';
import { SIGNALS, type Signal } from '../otlp/messages.ts';
import type { Receiver } from '../otlp/receiver.ts';
import type { Refusals } from '../otlp/refusals.ts';
import { sharerOf } from '../sharer-of.ts';
import { HttpError } from './errors.ts';
import { NOSNIFF } from './plugins/nosniff.ts';
import { isRetryable } from './plugins/problems.ts';
import { channelHeader, type ErrorForm, protocolScope } from './protocol-scope.ts';
import { packingOf, readBody } from './read-body.ts';
import { Turns } from './turns.ts';

/** What the protocol names, and what some exporters send. */
const PACKINGS = ['gzip', 'zstd'] as const;
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

  const form: ErrorForm = {
    onRefused: (request, problem) => {
      refused.inc({ code: problem.code });
      const path = request.routeOptions.url ?? '';
      const fate = isRetryable(problem) ? 'which may send it again' : 'which drops it';
      refusals.tell(
        `${path} ${problem.code}`,
        `refused ${path} of ${request.ip}, ${fate}: ${problem.code}: ${problem.message}`,
      );
    },
    sendError: sendStatus,
  };
  protocolScope(app, form, (scope) => {
    const take = async (signal: Signal, request: FastifyRequest, reply: FastifyReply) => {
      const { headers } = request;
      const encoding = encodingOf(headers);
      const packing = packingOf(headers['content-encoding'], PACKINGS);
      // Otherwise each request would wait for the log in memory.
      if (!broker.status().ready)
        throw new BrokerUnavailable('the log cannot be reached; send the same again');
      const bytes = await readBody(request, bodyBytes, 'OTLP_BODY_BYTES');
      const outcome = await turns.run(sharerOf(request.access.principal, request.ip), async () => {
        await request.confirmRights(); // the handler began before the body was there
        return (await receiver()).receive({
          signal,
          body: bytes,
          encoding,
          packing,
          access: request.access,
          channel: channelHeader(request),
        });
      });
      const { accepted, rejected, told, ignored, message } = outcome;
      records.inc({ signal, outcome: 'accepted' }, accepted);
      records.inc({ signal, outcome: 'ignored' }, ignored);
      records.inc({ signal, outcome: 'rejected' }, rejected);
      if (message !== undefined)
        refusals.tell(`${signal} partial`, `${told} ${signal} of ${request.ip} rejected: ${message}`);
      return reply.type(CONTENT_TYPES[encoding]).send(successBody(encoding, signal, told, message));
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

function sendStatus(request: FastifyRequest, reply: FastifyReply, problem: HttpError): FastifyReply {
  const { status, message } = problem;
  const encoding = isProtobuf(request.headers) ? 'protobuf' : 'json';
  return reply
    .code(status)
    .headers(NOSNIFF)
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
