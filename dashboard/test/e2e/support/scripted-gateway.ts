// A gateway that a test scripts, for faults that the real gateway must not have.
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Profile, SignInWays } from '@llm-streamer/shared/api-types.ts';
import { onTestFinished } from 'vitest';
import { ROOT } from '../../../../test-support/process.ts';

const DIST = join(ROOT, 'dashboard/dist');
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const EVERYBODY: Profile = {
  name: 'everyone',
  kind: 'everyone',
  owner: '',
  grants: { read: ['*'], publish: ['*'], run: true, metrics: true, admin: false },
  auth: 'off',
};

/** Somebody who has signed in. */
export function person(name: string, session: string, fields: Partial<Profile> = {}): Profile {
  const grants = { read: ['*'], publish: [], run: true, metrics: true, admin: false };
  return { name, kind: 'user', owner: name, role: 'viewer', grants, session, auth: 'on', ...fields };
}

export class ScriptedGateway {
  url = '';
  /** Requests of `/stream`, in order. */
  readonly requests: IncomingMessage[] = [];
  readonly streams = new Set<ServerResponse>();
  /** Answers requests of `/stream`; by default with `hello` and `live`. */
  answer: (response: ServerResponse, request: IncomingMessage) => void = (response) => this.greet(response);
  /** The answer of `/api/entries`. */
  entries: object = { entries: [], gaps: [], done: true };
  /** The answer of `/api/alerts`: its status, and its body, where that says nothing else with `rules: true`. */
  alerts: { status: number; body?: object } = { status: 404 };
  /** How often it was asked which alerts fire. */
  alertsAsked = 0;
  /** The answer of `/auth/profile`; `undefined` is 401, with `ways`. */
  profile: Profile | undefined = EVERYBODY;
  ways: SignInWays = {};
  /** How often it was asked who sits there. */
  profiles = 0;
  /** The answer of `/auth/login`. */
  login: (
    credentials: Record<string, unknown>,
  ) => Profile | { status: number; code: string; after?: number } = () => ({
    status: 401,
    code: 'login_failed',
  });
  count = 0;
  #n = 1_000;
  readonly #server = createServer((request, response) => this.#serve(request, response));

  /** Starts a gateway that is stopped at the end of the test, after the pages that are opened later. */
  static async ofTest(): Promise<ScriptedGateway> {
    const gateway = new ScriptedGateway();
    await gateway.#start();
    onTestFinished(() => gateway.#stop());
    return gateway;
  }

  async #start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  greet(response: ServerResponse, { resumed = false, keepalive = 60_000, isLive = true } = {}): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.streams.add(response);
    response.once('close', () => this.streams.delete(response));
    const hello = { gateway: 'gw-scripted', resumed, count: this.count, keepalive, now: Date.now() };
    response.write(frame('hello', hello, this.cursor));
    if (isLive) response.write(frame('live', { replayed: 0 }, this.cursor));
  }

  get cursor(): string {
    return `${Date.now()}-${this.#n}`;
  }

  entry(msg: string, fields: Record<string, unknown> = {}): { id: string; text: string; data: object } {
    const id = `${Date.now()}-${++this.#n}`;
    const data = {
      id,
      log: 'abc',
      time: Date.now(),
      channel: 'logs',
      source: 's',
      level: 'info',
      msg,
      ...fields,
    };
    return { id, data, text: `id: ${id}\ndata: ${JSON.stringify(data)}\n\n` };
  }

  /** Sends entries; those in `lost` are counted and not sent. */
  send(msgs: readonly string[], lost: readonly string[] = []): void {
    for (const msg of msgs) {
      this.count++;
      const { text } = this.entry(msg);
      if (!lost.includes(msg)) this.write(text);
    }
  }

  ping(): void {
    this.write(frame('ping', { now: Date.now(), count: this.count }, this.cursor));
  }

  write(text: string): void {
    for (const stream of this.streams) stream.write(text);
  }

  cut(): void {
    for (const stream of this.streams) stream.destroy();
  }

  #login(response: ServerResponse, credentials: Record<string, unknown>): void {
    const answer = this.login(credentials);
    if ('status' in answer) {
      const after = answer.after === undefined ? undefined : { 'retry-after': String(answer.after) };
      json(response, answer.status, answer, after);
      return;
    }
    this.profile = answer;
    json(response, 200, answer);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    if (pathname === '/stream') {
      this.requests.push(request);
      this.answer(response, request);
      return;
    }
    if (pathname === '/auth/profile') {
      this.profiles++;
      const status = this.profile ? 200 : 401;
      json(response, status, this.profile ?? { status, code: 'unauthorized', ...this.ways });
      return;
    }
    if (pathname === '/auth/login') {
      text(request)
        .then((body) => this.#login(response, JSON.parse(body)))
        .catch((error) => response.destroy(error));
      return;
    }
    if (pathname === '/api/alerts') {
      this.alertsAsked++;
      json(response, this.alerts.status, { rules: true, ...this.alerts.body });
      return;
    }
    if (pathname.startsWith('/api/') || pathname === '/sse/health') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(pathname === '/api/entries' ? this.entries : { runs: [], channels: [] }));
      return;
    }
    const file = join(DIST, pathname === '/' ? 'index.html' : pathname);
    const isThere = file.startsWith(DIST) && existsSync(file);
    response.writeHead(isThere ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'text/plain' });
    response.end(isThere ? readFileSync(file) : '');
  }
}

function json(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function frame(event: string, data: object, id?: string): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}
