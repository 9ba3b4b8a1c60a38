// What the protocols of log shippers have in common: the turns in which their bodies are unpacked; figures; and the refusals that their
// senders may not show to anybody, said on the gateway's log. How a protocol says an error is its own.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import type { Refusals } from '../otlp/refusals.ts';
import { sharerOf } from '../sharer-of.ts';
import { MAX_BODY_BYTES } from '../shippers/limits.ts';
import { partialRefusal, ShipperStore, type Stored } from '../shippers/store.ts';
import { unpack } from '../shippers/unpack.ts';
import type { HttpError } from './errors.ts';
import { isRetryable } from './plugins/problems.ts';
import { type ErrorForm, protocolScope } from './protocol-scope.ts';
import { packingOf, readBody } from './read-body.ts';
import { Turns } from './turns.ts';

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
  sendError: ErrorForm['sendError'];
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
    const { sendError } = protocol;
    const onRefused: ErrorForm['onRefused'] = (request, problem) => this.#tell(protocol, request, problem);
    protocolScope(app, { onRefused, sendError }, routes);
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
    // Otherwise each request would wait for the log in memory.
    if (!this.#broker.status().ready)
      throw new BrokerUnavailable('the log cannot be reached; send the same again');
    const bytes = await readBody(request, MAX_BODY_BYTES);
    const stored = await this.#turns.run(sharerOf(request.access.principal, request.ip), async () => {
      await request.confirmRights(); // the handler began before the body was there
      return store(await unpack(bytes, packing, MAX_BODY_BYTES));
    });
    this.#entries.inc({ protocol: name, outcome: 'accepted' }, stored.accepted);
    this.#entries.inc({ protocol: name, outcome: 'refused' }, stored.refused);
    const refusal = partialRefusal(stored);
    if (refusal !== undefined) throw refusal;
  }

  #tell({ name }: Protocol, request: FastifyRequest, problem: HttpError): void {
    const { code, message } = problem;
    this.#refused.inc({ protocol: name, code });
    const fate = isRetryable(problem) ? 'which may send it again' : 'which may drop it';
    this.#refusals.tell(`${name} ${code}`, `${name} of ${request.ip} refused, ${fate}: ${code}: ${message}`);
  }
}
