// A viewer that remembers what it receives: an SSE client that drops and resumes with Last-Event-ID, like an EventSource.

import { type ClientRequest, get } from 'node:http';
import { constants, createGunzip } from 'node:zlib';

export interface SeenEntry {
  channel: string;
  /** The writer's own number on that channel. */
  k: number;
  /** The log's number, 0 for an entry without an id. */
  n: number;
}

export interface SeenGap {
  channel: string | null;
  after: number;
  before: number;
  reason: string;
  missed: number | null;
}

const RETRY_MS = 50;

export class RecordingViewer {
  readonly channels: readonly string[];
  readonly entries: SeenEntry[] = [];
  readonly gaps: SeenGap[] = [];
  /** The position of the first `hello`. This viewer has to receive everything that is published after it. */
  start: number | undefined;
  reconnects = 0;
  /** Connections that were compressed with gzip. */
  compressed = 0;
  /** The longest time between two entries, without the times in which it stayed away. */
  longestStallMs = 0;
  #lastEntryAt: number | undefined;
  /** The state of the viewer, as text for a person who debugs a test. */
  state = 'connecting';
  /** Faults: a `ping` whose count differs from the entries received, or bytes that are not gzip. */
  readonly ledger: string[] = [];
  readonly #urls: () => string[];
  readonly #random: () => number;
  readonly #gzip: boolean;
  #lastEventId = '';
  #request: ClientRequest | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #away = false;
  #count = { base: 0, received: 0, replayed: 0, live: false };

  /** @param urls returns the gateways from which the viewer chooses at each connection. */
  constructor(channels: readonly string[], urls: () => string[], random: () => number, gzip: boolean) {
    this.#gzip = gzip;
    this.channels = channels;
    this.#urls = urls;
    this.#random = random;
    this.#connect();
  }

  get cursor(): number {
    return numberOf(this.#lastEventId);
  }

  /** Cuts the connection as a network would; the viewer reconnects by itself. */
  drop(): void {
    this.#request?.destroy();
  }

  /** Cuts the connection and stays away. */
  leave(): void {
    this.#away = true;
    this.#lastEntryAt = undefined;
    clearTimeout(this.#retry);
    this.drop();
  }

  comeBack(): void {
    this.#away = false;
    if (this.#request === undefined) this.#again();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#request?.destroy();
  }

  #connect(): void {
    const urls = this.#urls();
    const url = urls[Math.floor(this.#random() * urls.length)];
    if (url === undefined) {
      this.#again();
      return;
    }
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (this.#gzip) headers['accept-encoding'] = 'gzip';
    if (this.#lastEventId !== '') headers['last-event-id'] = this.#lastEventId;
    let pending = '';
    const request = get(`${url}/stream?channels=${this.channels.join(',')}`, { headers, agent: false });
    this.#request = request;
    this.state = `connecting to ${url}`;
    const ended = () => {
      if (this.#request === request) this.#again();
    };
    request.on('error', ended);
    request.on('response', (response) => {
      this.state = `open at ${url}`;
      const body = response.headers['content-encoding'] === 'gzip' ? response.pipe(gunzip()) : response;
      if (body !== response) this.compressed++;
      if (body !== response) body.on('error', (error) => this.ledger.push(`gzip: ${error.message}`));
      body.setEncoding('utf8');
      body.on('data', (chunk: string) => {
        if (this.#request !== request || this.#closed) return;
        const blocks = (pending + chunk).split('\n\n');
        pending = blocks.pop() ?? '';
        for (const block of blocks) this.#block(block);
      });
      response.on('error', ended);
      response.on('close', ended);
    });
  }

  #again(): void {
    this.#request = undefined;
    this.state = 'waiting to reconnect';
    if (this.#closed || this.#away) return;
    this.reconnects++;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), RETRY_MS * (0.5 + this.#random()));
  }

  #block(block: string): void {
    let event = '';
    let data = '';
    for (const line of block.split('\n')) {
      if (line.startsWith('id: ')) this.#lastEventId = line.slice(4);
      else if (line.startsWith('event: ')) event = line.slice(7);
      else if (line.startsWith('data: ')) data = line.slice(6);
    }
    if (data === '') return;
    const value = JSON.parse(data);
    if (event === '') this.#entry(value);
    else if (event === 'hello') {
      this.start ??= numberOf(this.#lastEventId);
      this.#count = { base: value.count, received: 0, replayed: 0, live: false };
    } else if (event === 'live') {
      this.state = 'live';
      this.#count.replayed = value.replayed;
      this.#count.live = true;
    } else if (event === 'ping') {
      const { base, received, replayed } = this.#count;
      if (received !== replayed + value.count - base)
        this.ledger.push(`received ${received}, replayed ${replayed}, count ${value.count} − ${base}`);
    } else if (event === 'gap') {
      this.gaps.push({ ...value, after: numberOf(value.after), before: numberOf(value.before) });
    }
  }

  #entry(value: { id?: string; channel: string; msg: string }): void {
    this.#count.received++;
    const now = performance.now();
    this.longestStallMs = Math.max(this.longestStallMs, now - (this.#lastEntryAt ?? now));
    this.#lastEntryAt = now;
    this.entries.push({
      channel: value.channel,
      k: Number(value.msg.split(' ')[0]),
      n: numberOf(value.id ?? ''),
    });
  }
}

/** Decompresses as much as possible at any time, and accepts a stream that ends without gzip's trailer. */
function gunzip() {
  return createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH });
}

function numberOf(id: string): number {
  return Number(id.split('-')[1] ?? 0);
}
