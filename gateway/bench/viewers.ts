// SSE viewers as bare sockets: they count bytes, and only the sampled ones look for the time an entry was written.

import { connect, type Socket } from 'node:net';

export interface ViewerOptions {
  port: number;
  path: string;
  count: number;
  /** Of these, how many measure latency. */
  sampled?: number;
  /** Read no faster than this; 0 for as fast as it comes. */
  bytesPerSecond?: number;
}

export class BenchViewers {
  readonly sockets: Socket[] = [];
  /** Milliseconds from an entry's time to its arrival, of the sampled viewers. */
  latencies: number[] = [];
  bytes = 0;
  readonly #options: ViewerOptions;

  constructor(options: ViewerOptions) {
    this.#options = options;
  }

  /** Resolves when every viewer has its response head; `burst` connections at a time. */
  async open(burst = 128): Promise<void> {
    const { count } = this.#options;
    for (let begun = 0; begun < count; begun += burst) {
      const some = Math.min(burst, count - begun);
      await Promise.all(Array.from({ length: some }, (_, i) => this.#one(begun + i)));
    }
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.length = 0;
  }

  #one(index: number): Promise<void> {
    const { port, path, sampled = 0, bytesPerSecond = 0 } = this.#options;
    const socket = connect(port, '127.0.0.1');
    this.sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n`);
    return new Promise((resolve, reject) => {
      socket.once('close', () => reject(new Error('closed before it began')));
      socket.once('data', () => {
        resolve();
        if (bytesPerSecond > 0) this.#sip(socket, bytesPerSecond);
      });
      if (bytesPerSecond > 0) return;
      socket.on('data', (chunk) => {
        this.bytes += chunk.length;
        if (index < sampled) this.#sample(chunk);
      });
    });
  }

  #sample(chunk: Buffer): void {
    const now = Date.now();
    for (let at = chunk.indexOf('"time":'); at >= 0; at = chunk.indexOf('"time":', at + 20))
      this.latencies.push(now - Number(chunk.toString('latin1', at + 7, at + 20)));
  }

  /** A tenth of the rate every 100 ms, the rest stays with the kernel. */
  #sip(socket: Socket, bytesPerSecond: number): void {
    socket.pause();
    const timer = setInterval(() => {
      const chunk = socket.read(Math.max(1, Math.floor(bytesPerSecond / 10)));
      this.bytes += chunk?.length ?? 0;
    }, 100);
    socket.once('close', () => clearInterval(timer));
  }
}
