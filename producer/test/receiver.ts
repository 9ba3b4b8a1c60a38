// A real HTTP server that takes batches like the gateway's POST /api/publish, and that a test can make fail.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { EntryFields } from '@llm-streamer/shared/entry.ts';

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

export class Receiver implements AsyncDisposable {
  readonly entries: EntryFields[] = [];
  readonly requests: { path: string; method: string; headers: IncomingHttpHeaders; lines: number }[] = [];
  /** Each of these is given to one request, whose batch is then not taken. */
  readonly answers: Answer[] = [];
  /** Takes batches, and then breaks the connection instead of answering. */
  losesAnswers = false;
  readonly #server: Server;
  readonly #taken = new Map<string, number>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(port = 0): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', async (request, response) => {
      const body = await text(request);
      const {
        status,
        headers,
        body: answer,
      } = receiver.#answer(request.url ?? '', request.method ?? '', request.headers, body);
      if (receiver.losesAnswers) return request.destroy();
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(answer);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get messages(): string[] {
    return this.entries.map(({ msg }) => msg);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(path: string, method: string, headers: IncomingHttpHeaders, body: string): Answer {
    const lines = body.split('\n').filter((line) => line !== '');
    this.requests.push({ path, method, headers, lines: lines.length });
    const planned = this.answers.shift();
    if (planned) return planned;
    const writer = String(headers['publisher-id']);
    const seq = Number(headers['publisher-seq']);
    const isRepeat = seq <= (this.#taken.get(writer) ?? 0);
    this.#taken.set(writer, Math.max(seq, this.#taken.get(writer) ?? 0));
    if (!isRepeat) this.entries.push(...lines.map((line) => JSON.parse(line) as EntryFields));
    return {
      status: 200,
      body: JSON.stringify({ ids: lines.map((_, i) => (isRepeat ? null : `1-${i + 1}`)) }),
    };
  }
}
