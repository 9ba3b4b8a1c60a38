// What the protocols of log shippers have in common: the turns in which their bodies are unpacked; figures; and the refusals that their
// senders may not show to anybody, said on the gateway's log. How a protocol says an error is its own.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import type { Refusals } from '../otlp/refusals.ts';
import { MAX_BODY_BYTES } from '../shippers/limits.ts';
import { partialRefusal, ShipperStore, type Stored } from '../shippers/store.ts';
import { PACKINGS, packingOf, unpack } from '../shippers/unpack.ts';
import { HttpError } from './errors.ts';
import { translate } from './plugins/problems.ts';
import { readBody } from './read-body.ts';
import { Turns } from './turns.ts';

const RETRY_AFTER_S = '2';
export const RETRYABLE: readonly number[] = [429, 502, 503, 504];

export interface ShipperServices {
  broker: Broker;
  entryBytes: number;
  refusals: Refusals;
  registry: Registry;
}

export interface Protocol {
  /** As a label of metrics. */
  name: string;
  /** A Content-Encoding that says what the content type says already. */
  ownEncoding?: string;
  sendError(request: FastifyRequest, reply: FastifyReply, problem: HttpError, error: unknown): FastifyReply;
}

export class ShipperWays {
  readonly slicer = new TimeSlicer();
  readonly store: ShipperStore;
  readonly #broker: Broker;
  readonly #refusals: Refusals;
  readonly #turns = new Turns();
  readonly #entries: Counter<'protocol' | 'outcome'>;
  readonly #refused: Counter<'protocol' | 'code'>;

  constructor({ broker, entryBytes, refusals, registry }: ShipperServices) {
    this.#broker = broker;
    this.#refusals = refusals;
    this.store = new ShipperStore({ broker, entryBytes, slicer: this.slicer });
    this.#entries = new Counter({
      name: 'llm_streamer_shipper_entries_total',
      help: 'Entries that came by the protocols of log shippers.',
      labelNames: ['protocol', 'outcome'],
      registers: [registry],
    });
    this.#refused = new Counter({
      name: 'llm_streamer_shipper_refused_total',
      help: 'Requests of log shippers that were refused, as a whole or in part.',
      labelNames: ['protocol', 'code'],
      registers: [registry],
    });
  }

  /** Registers the routes of a protocol, whose errors have its form. */
  register(app: FastifyInstance, protocol: Protocol, routes: (scope: FastifyInstance) => void): void {
    app.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      // `take` reads the body itself, up to its own limit.
      scope.addContentTypeParser('*', (_request, body, done) => done(null, body));
      scope.setErrorHandler((error: FastifyError, request, reply) => {
        const known = translate(error);
        // A sender that went away in the middle sends it again by itself.
        if (request.raw.socket.destroyed) return reply.hijack();
        if (!known) request.log.error({ err: error }, 'unexpected error');
        const problem = known ?? new HttpError('internal', 'something went wrong here');
        this.#tell(protocol, request, problem);
        reply.headers(problem.headers);
        if (RETRYABLE.includes(problem.status) && problem.headers['retry-after'] === undefined)
          reply.header('retry-after', RETRY_AFTER_S);
        if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
        return protocol.sendError(request, reply, problem, error);
      });
      routes(scope);
    });
  }

  /**
   * Reads and unpacks the body of a request, and has it stored.
   * @throws CodedError also where a part of the entries was refused: shippers have no other way to learn that
   */
  async take(
    { name, ownEncoding }: Protocol,
    request: FastifyRequest,
    store: (body: Buffer) => Promise<Stored>,
  ): Promise<void> {
    const encoding = request.headers['content-encoding'];
    const packing = packingOf(encoding === ownEncoding ? undefined : encoding);
    if (packing === undefined)
      throw new HttpError('unsupported_encoding', `compress with ${PACKINGS.join(', ')}, or not at all`, {
        field: 'Content-Encoding',
        headers: { 'accept-encoding': `${PACKINGS.join(', ')}, identity` },
      });
    // Otherwise each request would wait for the log in memory.
    if (!this.#broker.status().ready)
      throw new BrokerUnavailable('the log cannot be reached; send the same again');
    const bytes = await readBody(request, MAX_BODY_BYTES);
    const stored = await this.#turns.run(async () => {
      await request.confirmRights(); // the handler began before the body was there
      return store(await unpack(bytes, packing, MAX_BODY_BYTES));
    });
    this.#entries.inc({ protocol: name, outcome: 'accepted' }, stored.accepted);
    this.#entries.inc({ protocol: name, outcome: 'refused' }, stored.refused);
    const refusal = partialRefusal(stored);
    if (refusal !== undefined) throw refusal;
  }

  #tell({ name }: Protocol, request: FastifyRequest, { status, code, message }: HttpError): void {
    this.#refused.inc({ protocol: name, code });
    const fate = RETRYABLE.includes(status) ? 'which may send it again' : 'which may drop it';
    this.#refusals.tell(`${name} ${code}`, `${name} of ${request.ip} refused, ${fate}: ${code}: ${message}`);
  }
}
