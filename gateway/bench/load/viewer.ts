// One SSE viewer as a bare socket. Every viewer counts bytes; a sampled one also reads every entry.

import { connect, type Socket } from 'node:net';
import { createGunzip, type Gunzip } from 'node:zlib';
import type { Histogram } from '../histogram.ts';
import { ChunkedBody } from './chunked-body.ts';
import { EntryScanner } from './entry-scanner.ts';

// All sockets of the process read into this one buffer: no allocation per read.
const BUFFER = Buffer.allocUnsafeSlow(262_144);
const SIP_MS = 100;

export interface ViewerOptions {
  port: number;
  /** The whole request, as it goes over the wire. */
  request: string;
  /** Where a sampled viewer records latencies. */
  latencies?: Histogram;
  /** The viewer reads no faster than this; the rest stays in the kernel. */
  bytesPerSecond?: number;
  /** The server speaks no HTTP: everything that comes is content. */
  bare?: boolean;
}

export class BenchViewer {
  readonly body = new ChunkedBody();
  readonly scanner: EntryScanner | undefined;
  /** Resolves with the first bytes of the response. */
  readonly opened: Promise<void>;
  wireBytes = 0;
  closed = false;
  #bodyBase = 0;
  #chunkBase = 0;
  #gunzip: Gunzip | undefined;
  readonly #socket: Socket;
  readonly #scan: ((bytes: Buffer) => void) | undefined;

  constructor({ port, request, latencies, bytesPerSecond, bare = false }: ViewerOptions) {
    if (latencies) {
      this.scanner = new EntryScanner(latencies);
      this.#scan = (bytes) => this.#decode(bytes);
    }
    const opened = Promise.withResolvers<void>();
    this.opened = opened.promise;
    const take = (length: number, buffer: Uint8Array) => {
      this.wireBytes += length;
      if (bare) this.#scan?.((buffer as Buffer).subarray(0, length));
      else this.body.read(buffer as Buffer, length, this.#scan);
      if (bare || this.body.head !== '') opened.resolve();
      return true;
    };
    const at = { port, host: '127.0.0.1', noDelay: true };
    if (bytesPerSecond === undefined) {
      this.#socket = connect({ ...at, onread: { buffer: BUFFER, callback: take } });
    } else {
      this.#socket = connect(at);
      this.#sip(Math.ceil((bytesPerSecond * SIP_MS) / 1_000), (chunk) => take(chunk.length, chunk));
    }
    this.#socket.on('error', () => {}); // 'close' follows, and is counted
    this.#socket.on('close', () => {
      this.closed = true;
      opened.reject(new Error('a viewer’s connection closed before its response began'));
    });
    this.#socket.write(request, 'latin1');
  }

  /** How many bytes of content and how many chunks have come since `begin`. */
  get bodyBytes(): number {
    return this.body.bytes - this.#bodyBase;
  }
  get chunks(): number {
    return this.body.chunks - this.#chunkBase;
  }

  begin(): void {
    this.#bodyBase = this.body.bytes;
    this.#chunkBase = this.body.chunks;
    this.wireBytes = 0;
    this.scanner?.begin();
  }

  close(): void {
    this.opened.catch(() => undefined);
    this.#socket.destroy();
    this.#gunzip?.close();
  }

  #decode(bytes: Buffer): void {
    if (!/^content-encoding: *gzip/im.test(this.body.head)) {
      this.scanner?.feed(bytes);
      return;
    }
    if (!this.#gunzip) {
      this.#gunzip = createGunzip();
      this.#gunzip.on('data', (text: Buffer) => this.scanner?.feed(text));
    }
    this.#gunzip.write(Buffer.from(bytes)); // a copy: the buffer is read into again before it is inflated
  }

  #sip(bytes: number, take: (chunk: Buffer) => void): void {
    this.#socket.pause();
    const timer = setInterval(() => {
      const chunk = this.#socket.read(Math.min(bytes, this.#socket.readableLength || bytes));
      if (chunk) take(chunk);
    }, SIP_MS);
    this.#socket.once('close', () => clearInterval(timer));
  }
}
