// A real HTTP server on a Unix socket that gives out logs as an engine does, byte for byte: in frames, or as a terminal's text. A test
// can end it in the middle of a frame, and start it again; the logs stay.

import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type Stamp, stampOf } from '../../src/collect/stamp.ts';

export interface Message {
  output: 'stdout' | 'stderr';
  at: Stamp;
  text: string;
}

export interface StandInContainer {
  id: string;
  name: string;
  labels: Record<string, string>;
  hasTerminal: boolean;
  isRunning: boolean;
  startedAt: string;
  log: Message[];
  /** The status of an answer instead of the log. */
  refuses?: number;
}

/** `1795953114.635543360` as the engine writes it. */
export function timeText(at: Stamp): string {
  const [seconds = '', nanos = ''] = at.split('.');
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', `.${nanos}Z`);
}

/** What the engine sends for a message. */
export function wire({ output, at, text }: Message, hasTerminal: boolean): Buffer {
  const body = Buffer.from(`${timeText(at)} ${text}`);
  if (hasTerminal) return body;
  const header = Buffer.alloc(8);
  header[0] = output === 'stdout' ? 1 : 2;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

/** Docker's pieces of a line: 16 KiB each, with one time. */
export function pieces(output: 'stdout' | 'stderr', at: Stamp, line: string): Message[] {
  const messages: Message[] = [];
  for (let i = 0; i < line.length; i += 16_384)
    messages.push({ output, at, text: line.slice(i, i + 16_384) });
  return messages;
}

interface Reader {
  container: StandInContainer;
  response: ServerResponse;
}

export class EngineStandIn implements AsyncDisposable {
  readonly path: string;
  readonly containers = new Map<string, StandInContainer>();
  /** Paths of all requests, without their queries. */
  readonly requests: { method: string; path: string }[] = [];
  #server: Server | undefined;
  #readers = new Set<Reader>();
  #watchers = new Set<ServerResponse>();
  #happened: { nanos: number; line: string }[] = [];
  #sequence = 0;

  private constructor(path: string) {
    this.path = path;
  }

  static async start(path: string): Promise<EngineStandIn> {
    const engine = new EngineStandIn(path);
    await engine.restart();
    return engine;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://engine');
      this.requests.push({ method: request.method ?? '', path: url.pathname });
      this.#answer(url, response);
    });
    this.#server.listen(this.path);
    await once(this.#server, 'listening');
  }

  /** Ends all connections where they are; of a frame that is under way, `half` sends the first bytes. */
  async kill(half?: Buffer): Promise<void> {
    if (!this.#server) return;
    if (half) {
      for (const { response } of this.#readers) response.write(half);
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    this.#server = undefined;
    this.#readers.clear();
    this.#watchers.clear();
    await rm(this.path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  add(name: string, more: Partial<StandInContainer> = {}): StandInContainer {
    const id = (++this.#sequence).toString(16).padStart(64, 'c');
    const container = {
      id,
      name,
      labels: {},
      hasTerminal: false,
      isRunning: true,
      startedAt: `${this.#sequence}`,
      log: [],
      ...more,
    };
    this.containers.set(id, container);
    for (const watcher of this.#watchers) watcher.write(eventLine('start', container));
    return container;
  }

  /** A container writes; all of it goes out as one chunk. */
  write(container: StandInContainer, ...messages: Message[]): void {
    container.log.push(...messages);
    for (const reader of this.#readers)
      if (reader.container === container)
        reader.response.write(Buffer.concat(messages.map((message) => wire(message, container.hasTerminal))));
  }

  say(container: StandInContainer, line: string, output: 'stdout' | 'stderr' = 'stdout'): void {
    this.write(container, { output, at: stampOf(Date.now()), text: `${line}\n` });
  }

  end(container: StandInContainer): void {
    container.isRunning = false;
    for (const reader of this.#readers)
      if (reader.container === container) {
        reader.response.end();
        this.#readers.delete(reader);
      }
    for (const watcher of this.#watchers) watcher.write(eventLine('die', container));
  }

  begin(container: StandInContainer): void {
    container.isRunning = true;
    container.startedAt = `${++this.#sequence}`;
    for (const watcher of this.#watchers) watcher.write(eventLine('start', container));
  }

  /** Something happens to a container at this time; the engine remembers it, and gives it again to whoever asks from before. */
  happen(
    action: string,
    container: StandInContainer,
    nanos: number,
    attributes: Record<string, string> = {},
  ): void {
    const { id: ID, name, labels } = container;
    const Attributes = { name, image: 'image:1', ...labels, ...attributes };
    const line = eventLine(action, container, { Actor: { ID, Attributes }, timeNano: nanos });
    this.#happened.push({ nanos, line });
    for (const watcher of this.#watchers) watcher.write(line);
  }

  #answer({ pathname, searchParams }: URL, response: ServerResponse): void {
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (pathname === '/_ping')
      return void response.writeHead(200, { 'api-version': '1.41', server: 'Docker/0 (stand-in)' }).end('OK');
    if (pathname === '/events') {
      response.writeHead(200).flushHeaders();
      const since = Number(searchParams.get('since')) * 1e9;
      for (const { nanos, line } of this.#happened) if (nanos >= since) response.write(line);
      this.#watchers.add(response);
      return;
    }
    if (pathname === '/containers/json')
      return void json(
        200,
        [...this.containers.values()].map(({ id, isRunning }) => ({
          Id: id,
          State: isRunning ? 'running' : 'exited',
        })),
      );
    const [, id = '', what = ''] = /^\/containers\/(\w+)\/(json|logs)$/.exec(pathname) ?? [];
    const container = this.containers.get(id);
    if (!container) return void json(404, { message: `No such container: ${id}` });
    const { name, labels, hasTerminal, isRunning, startedAt } = container;
    if (what === 'json')
      return void json(200, {
        Id: id,
        Name: `/${name}`,
        State: { Running: isRunning, StartedAt: startedAt },
        Config: { Tty: hasTerminal, Image: 'image:1', Labels: labels },
      });
    if (container.refuses !== undefined)
      return void json(container.refuses, { message: 'configured logging driver does not support reading' });
    const since = searchParams.get('since') ?? '';
    const log = container.log.filter(({ at }) => at >= since);
    response.writeHead(200).flushHeaders();
    if (log.length > 0) response.write(Buffer.concat(log.map((message) => wire(message, hasTerminal))));
    if (isRunning) this.#readers.add({ container, response });
    else response.end();
  }
}

function eventLine(action: string, { id }: StandInContainer, more: object = {}): string {
  return `${JSON.stringify({ Type: 'container', Action: action, Actor: { ID: id, Attributes: {} }, ...more })}\n`;
}
