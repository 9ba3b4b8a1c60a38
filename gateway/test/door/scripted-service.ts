// For tests: a model service that answers exactly the bytes that a test gives it, over a bare socket.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface Received {
  /** `POST /v1/chat/completions HTTP/1.1` */
  line: string;
  /** By name in lower case, joined as HTTP joins them. */
  headers: Record<string, string>;
  /** Names as they came, in order. */
  names: string[];
  body: Buffer;
  socket: Socket;
}

export type Script = (request: Received) => void | Promise<void>;

export class ScriptedService {
  /** What was asked so far. */
  readonly requests: Received[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(script: Script) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      const pieces: Buffer[] = [];
      let [size, wanted] = [0, 0];
      socket.on('data', (piece: Buffer) => {
        pieces.push(piece);
        size += piece.length;
        if (size < wanted) return;
        const read = Buffer.concat(pieces);
        wanted = sizeIn(read);
        if (size < wanted) return;
        pieces.length = size = wanted = 0;
        const request = requestIn(read, socket);
        this.requests.push(request);
        Promise.resolve(script(request)).catch(() => socket.destroy());
      });
    });
  }

  static async open(script: Script): Promise<ScriptedService> {
    const service = new ScriptedService(script);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Bytes of the whole request, as far as its beginning says. */
function sizeIn(read: Buffer): number {
  const end = read.indexOf('\r\n\r\n');
  if (end < 0) return read.length + 1;
  const head = read.toString('latin1', 0, end);
  return end + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}

function requestIn(read: Buffer, socket: Socket): Received {
  const end = read.indexOf('\r\n\r\n');
  const [line = '', ...lines] = read.toString('latin1', 0, end).split('\r\n');
  const headers: Record<string, string> = {};
  const names = lines.map((one) => one.slice(0, one.indexOf(':')));
  for (const one of lines) {
    const at = one.indexOf(':');
    const name = one.slice(0, at).toLowerCase();
    const value = one.slice(at + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { line, headers, names, body: read.subarray(end + 4), socket };
}

/** An answer as it stands on the wire; `pieces` are sent as chunks. */
export function wire(head: readonly string[], pieces: readonly string[], status = 'HTTP/1.1 200 OK'): string {
  const chunks = pieces.map((piece) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`);
  return `${[status, ...head, 'Transfer-Encoding: chunked'].join('\r\n')}\r\n\r\n${chunks.join('')}0\r\n\r\n`;
}
