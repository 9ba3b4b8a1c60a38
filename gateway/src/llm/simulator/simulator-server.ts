// The simulator as a service: the same function over real HTTP, so that LLM_BASE_URL can point to it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Simulator } from './simulator.ts';

const MAX_BODY_BYTES = 4_194_304;

export class SimulatorServer {
  readonly #simulator: Simulator;
  readonly #server: Server;

  constructor(simulator: Simulator) {
    this.#simulator = simulator;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy()); // a fault in the middle of a stream ends its socket
    });
  }

  /** Listens and gives the base URL, `/v1` included. */
  async listen(port: number, host = '127.0.0.1'): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    return `http://${host}:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // This is not part of the protocol. It shows what each call has cost, so that one can see that a cancelled call stops.
    if (request.url === '/debug/calls') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(this.#simulator.calls));
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const body = request.method === 'POST' ? await bodyOf(request) : null;
    const answer = await this.#simulator.respond(
      new Request(new URL(request.url ?? '/', 'http://simulator.invalid'), {
        method: request.method ?? 'GET',
        body,
      }),
      gone.signal,
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.flushHeaders();
    if (answer.body) await pipeline(answer.body, response);
    else response.end();
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError('body too large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
