// A second port for OpenTelemetry alone (OTLP_PORT), served by the same application. Whatever else is asked there is not found.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { SIGNALS } from '../otlp/messages.ts';
import { answerMalformed } from './plugins/problems.ts';

const REQUEST_MS = 30_000;
const CLOSE_MS = 1_000;

export interface OtlpListenerOptions {
  host: string;
  port: number;
  basePath: string;
}

export class OtlpListener {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Rejects if the port is taken. */
  static async open(
    app: FastifyInstance,
    { host, port, basePath }: OtlpListenerOptions,
  ): Promise<OtlpListener> {
    const paths = new Set(['/', ...SIGNALS.map((signal) => `/v1/${signal}`)]);
    const options = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, requireHostHeader: false };
    const server = createServer(options, (request, response) => {
      const [path = ''] = (request.url ?? '').split('?', 1);
      if (request.method === 'POST' && paths.has(path)) request.url = `${basePath}${request.url}`;
      else request.url = `${basePath}/no-such-path-on-this-port`;
      app.routing(request, response);
    });
    server.on('clientError', answerMalformed);
    server.listen({ host, port });
    await once(server, 'listening');
    return new OtlpListener(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no new connection, and ends those on which nothing is asked. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    // A connection that is kept alive would otherwise keep the process.
    setTimeout(() => this.#server.closeAllConnections(), CLOSE_MS).unref();
    await closed;
  }
}
