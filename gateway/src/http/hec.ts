// Splunk's HTTP Event Collector, which Docker's driver `splunk` sends to: events, raw lines, the check before a container starts, and
// health. Answers `{"text":"Success","code":0}`, or Splunk's code for what is wrong.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Params } from '../parameters.ts';
import { Attempts } from '../shippers/attempts.ts';
import { type HecOptions, hecEntries, rawEntries } from '../shippers/hec-entries.ts';
import { HecFault, hecEvents } from '../shippers/hec-events.ts';
import type { Shipped } from '../shippers/store.ts';
import { textOf } from '../shippers/unpack.ts';
import { type ErrorCode, HttpError } from './errors.ts';
import { channelHeader } from './protocol-scope.ts';
import type { Protocol, ShipperServices, ShipperWays } from './shipper-ways.ts';

const MAX_LINES = 100_000;
const EVENT_PATHS = ['/services/collector', '/services/collector/event', '/services/collector/event/1.0'];
const RAW_PATHS = ['/services/collector/raw', '/services/collector/raw/1.0'];
const HEALTH_PATHS = ['/services/collector/health', '/services/collector/health/1.0'];
/** `channel` is a number of Splunk's own, by which it confirms what it has indexed. */
const EVENT_PARAMETERS = ['channel', 'auto_extract_timestamp'];
const RAW_PARAMETERS = [...EVENT_PARAMETERS, 'index', 'host', 'source', 'sourcetype', 'time'];

/** Splunk's codes for errors that are not of one event; 6, an invalid format, for the others. */
const CODES: Partial<Record<ErrorCode, number>> = {
  unauthorized: 4,
  forbidden: 4,
  channel_forbidden: 7,
  channel_reserved: 7,
  host_forbidden: 3,
  origin_forbidden: 3,
  csrf: 3,
  internal: 8,
  body_too_large: 27,
  batch_too_large: 27,
  shutdown: 23,
};

const HEC: Protocol = {
  name: 'hec',
  sendError: (request, reply, problem, error) => {
    if (error instanceof HecFault) return answer(reply, 400, error.message, error.hecCode, error.index);
    if (problem.code === 'unauthorized' && request.headers.authorization === undefined)
      return answer(reply, 401, 'Token is required', 2);
    return answer(reply, statusOf(problem), problem.message, codeOf(problem));
  },
};

export function hecRoutes(app: FastifyInstance, ways: ShipperWays, { broker }: ShipperServices): void {
  const attempts = new Attempts();
  const take = async (
    request: FastifyRequest,
    reply: FastifyReply,
    entries: (body: string, options: HecOptions) => Iterable<Shipped>,
  ) => {
    await ways.take(HEC, request, (body) => {
      const { access } = request;
      return attempts.run(access.principal.id, body, async (attempt) => {
        const options: HecOptions = {
          attempt,
          channel: channelHeader(request),
          source: access.ownSource,
        };
        return ways.store.store(entries(await textOf(body, ways.slicer), options), access);
      });
    });
    return answer(reply, 200, 'Success', 0);
  };

  ways.register(app, HEC, (scope) => {
    const config = { needs: 'publish', anyName: true } as const;
    for (const path of EVENT_PATHS)
      scope.post(path, { config: { ...config, parameters: EVENT_PARAMETERS } }, (request, reply) =>
        take(request, reply, (body, options) => hecEntries(hecEvents(body), options)),
      );
    for (const path of RAW_PATHS)
      scope.post(path, { config: { ...config, parameters: RAW_PARAMETERS } }, (request, reply) =>
        take(request, reply, (body, options) => rawEntries(linesOf(body), request.query as Params, options)),
      );
    // Docker asks before it starts a container, and shows no token.
    for (const path of EVENT_PATHS)
      scope.options(path, { config: { ...config, needs: 'nothing' } }, (_request, reply) =>
        answer(reply, 200, 'Success', 0),
      );
    for (const path of HEALTH_PATHS)
      scope.get(path, { config: { ...config, needs: 'nothing' } }, (_request, reply) =>
        broker.status().ready
          ? answer(reply, 200, 'HEC is healthy', 17)
          : answer(reply, 503, 'HEC is unhealthy, the log cannot be reached', 18),
      );
  });
}

/** Splunk answers a token that it does not know with 403. */
function statusOf({ status }: HttpError): number {
  if (status === 401) return 403;
  return status === 422 ? 400 : status;
}

function codeOf({ status, code }: HttpError): number {
  return CODES[code as ErrorCode] ?? (status === 503 || status === 429 ? 9 : 6);
}

function answer(
  reply: FastifyReply,
  status: number,
  text: string,
  code: number,
  index?: number,
): FastifyReply {
  return reply
    .code(status)
    .type('application/json')
    .send({ text, code, ...(index !== undefined && { 'invalid-event-number': index }) });
}

/** Line by line, so that they are never all in memory. Blank ones count, because a body may be 16 MiB of line ends. */
function* linesOf(body: string): Generator<string> {
  let lines = 0;
  for (let at = 0; at < body.length; ) {
    if (++lines > MAX_LINES)
      throw new HttpError('batch_too_large', `at most ${MAX_LINES} lines in one request`);
    const end = body.indexOf('\n', at);
    yield body.slice(at, end < 0 ? body.length : end);
    at = end < 0 ? body.length : end + 1;
  }
}
