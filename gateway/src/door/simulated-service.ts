// The built-in simulator as a service behind the door, without a port.

import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Simulator } from '../llm/simulator/simulator.ts';
import type { Service, ServiceAnswer, ServiceCall } from './service.ts';

export class SimulatedService implements Service {
  readonly #simulator: Simulator;

  constructor(simulator: Simulator) {
    this.#simulator = simulator;
  }

  async send({ upstream, method, path, body }: ServiceCall, signal: AbortSignal): Promise<ServiceAnswer> {
    const request = new Request(`${upstream.baseUrl}${path}`, {
      method,
      ...(body && { body: new Uint8Array(Buffer.concat(body)) }),
    });
    const answer = await this.#simulator.respond(request, signal);
    return {
      status: answer.status,
      statusText: answer.statusText,
      headers: [...answer.headers].flat(),
      body: answer.body ? Readable.fromWeb(answer.body as ReadableStream) : Readable.from([]),
    };
  }
}
