// A viewer for tests, made of Node's http and zlib and an independent SSE parser, without any code of the product. It keeps all that
// it receives, and can stop reading its socket, as a slow viewer does.
import { get, type IncomingMessage } from 'node:http';
import { constants, createGunzip } from 'node:zlib';
import { createParser } from 'eventsource-parser';
import { eventually } from './process.ts';

export interface SseEvent {
  /** '' for an event without a name. */
  event: string;
  /** Absent if the event had none. */
  id: string | undefined;
  data: Record<string, unknown>;
}

export interface SseClientOptions {
  lastEventId?: string;
  headers?: Record<string, string>;
}

export class SseClient {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly events: SseEvent[] = [];
  readonly retries: number[] = [];
  bytes = 0;
  closed = false;
  /** The id that a browser would send when it reconnects. */
  lastEventId = '';
  readonly #response: IncomingMessage;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    const parser = createParser({
      onEvent: ({ event, id, data }) => {
        this.events.push({ event: event ?? '', id, data: JSON.parse(data) });
        if (id !== undefined) this.lastEventId = id;
      },
      onRetry: (ms) => this.retries.push(ms),
    });
    const utf8 = new TextDecoder();
    const hear = (bytes: Buffer) => parser.feed(utf8.decode(bytes, { stream: true }));
    const gzip = this.headers['content-encoding'] === 'gzip';
    // Gives all that can be decompressed at any time, and accepts a stream without gzip's trailer. Any other fault is thrown.
    const { Z_SYNC_FLUSH } = constants;
    const gunzip = createGunzip({ flush: Z_SYNC_FLUSH, finishFlush: Z_SYNC_FLUSH }).on('data', hear);
    response.on('data', (bytes: Buffer) => {
      this.bytes += bytes.length;
      if (gzip) gunzip.write(bytes);
      else hear(bytes);
    });
    response.on('error', () => {}); // the connection was cut off; `closed` says so
    const close = () => {
      this.closed = true;
    };
    gunzip.on('end', close);
    response.on('close', () => (gzip ? gunzip.end() : close()));
  }

  /** Resolves when the response begins, and receives from then on. */
  static open(url: string, { lastEventId, headers }: SseClientOptions = {}): Promise<SseClient> {
    return new Promise((resolve, reject) => {
      const sent = { ...headers, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
      const request = get(url, { agent: false, headers: sent }, (response) =>
        resolve(new SseClient(response)),
      );
      request.on('error', reject);
    });
  }

  /** The events without a name, which are the entries. */
  get entries(): Record<string, unknown>[] {
    return this.events.filter(({ event }) => event === '').map(({ data }) => data);
  }

  get msgs(): string[] {
    return this.entries.map(({ msg }) => `${msg}`);
  }

  /** The events with this name. */
  named(event: string): SseEvent[] {
    return this.events.filter((one) => one.event === event);
  }

  /** Waits for the first event with this name. */
  saw(event: string): Promise<SseEvent> {
    return eventually(`an event ${event}`, () => this.named(event)[0]);
  }

  /** Waits until at least `count` entries have come. */
  async got(count: number): Promise<Record<string, unknown>[]> {
    await eventually(`${count} entries`, () => this.entries.length >= count).catch((error) => {
      throw new Error(`${error.message}; ${this.entries.length} came`);
    });
    return this.entries;
  }

  ended(): Promise<true> {
    return eventually('the end of the stream', () => this.closed) as Promise<true>;
  }

  /** Stops reading from its socket. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  /** Destroys the connection, as a machine does that loses its network. */
  vanish(): void {
    this.#response.socket.destroy();
  }
}
