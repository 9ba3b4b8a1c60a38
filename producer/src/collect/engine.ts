// Asks a container engine (Docker, or Podman's socket of the same kind) over HTTP. It sends GET requests to five fixed paths and
// nothing else, so it changes nothing on the machine, and a proxy of the socket may forbid all other requests.

import { Agent, type IncomingMessage, request } from 'node:http';
import { withoutColors } from '@llm-streamer/shared/decode/colors.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';
import { type Address, nameOf, USUAL_SOCKETS } from './address.ts';
import { isStamp, type Stamp } from './stamp.ts';

const TIMEOUT_MS = 30_000;
/** A list of ten thousand containers has about 20 MB. */
const MAX_ANSWER_BYTES = 64 * 1_048_576;
const MAX_EVENT_CHARS = 1_048_576;
const KEEP_ALIVE_MS = 30_000;

const id = z.string().regex(/^[0-9a-f]{12,64}$/);
const listed = z.object({ Id: id, State: z.string().default('') });
const inspected = z.object({
  Id: id,
  Name: z.string().default(''),
  State: z.object({ Running: z.boolean().default(false), StartedAt: z.string().default('') }),
  Config: z.object({
    Tty: z.boolean().default(false),
    Image: z.string().default(''),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
});
const event = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: id, Attributes: z.record(z.string(), z.string()).nullish().catch(undefined) }),
  timeNano: z.number().optional().catch(undefined),
});

export interface Container {
  id: string;
  /** Without the slash with which Docker begins it. */
  name: string;
  image: string;
  labels: Readonly<Record<string, string>>;
  hasTerminal: boolean;
  isRunning: boolean;
  /** Changes when the container is started again. */
  startedAt: string;
  /** How far the engine's clock is before this machine's. */
  aheadMs: number;
}

export interface ContainerEvent {
  id: string;
  action: string;
  /** Undefined if the engine does not say it. A double holds today's nanoseconds in steps of 256, the same each time. */
  at: Stamp | undefined;
  /** The name, the image, the exit code, and all labels of the container. */
  attributes: Readonly<Record<string, string>>;
}

/** The engine does not answer now, or answers that it cannot; the same request may succeed later. */
export class EngineAway extends Error {}

/** The engine keeps no log of this container, so the same request never succeeds. */
export class NoLog extends Error {}

export class Engine {
  readonly #address: Address;
  readonly #agent = new Agent({ keepAlive: false });
  #isPodman = false;

  constructor(address: Address) {
    this.#address = address;
  }

  get name(): string {
    return nameOf(this.#address);
  }

  get isPodman(): boolean {
    return this.#isPodman;
  }

  /** Says in words which engine answers. @throws CodedError `engine` with one line that says what is wrong, and what to do. */
  async greet(): Promise<string> {
    let answer: IncomingMessage;
    try {
      answer = await this.#get('/_ping', AbortSignal.timeout(TIMEOUT_MS));
      answer.resume();
    } catch (error) {
      throw new CodedError('engine', this.#obstacle(error as NodeJS.ErrnoException));
    }
    const server = String(answer.headers.server ?? '');
    if (answer.statusCode === 403) throw new CodedError('engine', `${this.name} does not allow GET /_ping`);
    if (answer.headers['api-version'] === undefined)
      throw new CodedError('engine', `${this.name} answers, but not like Docker or Podman`);
    this.#isPodman = answer.headers['libpod-api-version'] !== undefined || server.startsWith('Libpod');
    const status = await this.#status('/containers/json?limit=1');
    if (status === 401 || status === 403)
      throw new CodedError(
        'engine',
        `${this.name} does not allow GET /containers/json; a proxy of the socket must allow CONTAINERS and EVENTS`,
      );
    return server === '' ? 'an engine' : server.slice(0, 60);
  }

  /** All containers, also those that do not run. @throws EngineAway. */
  async list(): Promise<{ id: string; isRunning: boolean; isNew: boolean }[]> {
    const { status, body } = await this.#json('/containers/json?all=1');
    if (status !== 200 || !Array.isArray(body)) throw away('GET /containers/json', status, body);
    return body.flatMap((item) => {
      const found = listed.safeParse(item);
      if (!found.success) return [];
      const { Id, State } = found.data;
      return [
        { id: Id, isRunning: State === 'running', isNew: State === 'created' || State === 'configured' },
      ];
    });
  }

  /** Undefined if there is no such container any more. @throws EngineAway. */
  async inspect(containerId: string): Promise<Container | undefined> {
    const { status, body, aheadMs } = await this.#json(`/containers/${containerId}/json`);
    if (status === 404) return undefined;
    const found = inspected.safeParse(body);
    if (status !== 200 || !found.success) throw away('inspecting a container', status, body);
    const { Id, Name, State, Config } = found.data;
    return {
      id: Id,
      name: Name.replace(/^\//, '') || Id.slice(0, 12),
      image: Config.Image,
      labels: Config.Labels ?? {},
      hasTerminal: Config.Tty,
      isRunning: State.Running,
      startedAt: State.StartedAt,
      aheadMs,
    };
  }

  /**
   * The log of a container from `since` on, and then all that it goes on to write; ends when the container does. Undefined if there
   * is no such container any more. @throws EngineAway, NoLog.
   */
  async logs(containerId: string, since: Stamp, signal: AbortSignal): Promise<IncomingMessage | undefined> {
    const path = `/containers/${containerId}/logs?follow=1&stdout=1&stderr=1&timestamps=1&since=${since}`;
    const answer = await this.#get(path, signal).catch(rethrowAway);
    const status = answer.statusCode ?? 0;
    if (status === 200) return answer;
    const body = parseJson(await textOf(answer).catch(rethrowAway));
    if (status === 404) return undefined;
    // 501: the log driver keeps nothing that can be read. 409: the container is being removed.
    if (status === 501 || status === 409 || status === 400) throw new NoLog(reasonIn(body, status));
    throw away('GET …/logs', status, body);
  }

  /** What happens to containers from `sinceSeconds` on. `onOpen` is called when the engine has begun to answer. @throws EngineAway. */
  async *events(
    sinceSeconds: number,
    signal: AbortSignal,
    onOpen: () => void,
  ): AsyncGenerator<ContainerEvent> {
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'] }));
    const answer = await this.#get(`/events?since=${sinceSeconds}&filters=${filters}`, signal).catch(
      rethrowAway,
    );
    if (answer.statusCode !== 200)
      throw away('GET /events', answer.statusCode ?? 0, parseJson(await textOf(answer).catch(rethrowAway)));
    onOpen();
    let rest = '';
    answer.setEncoding('utf8');
    try {
      for await (const chunk of answer as AsyncIterable<string>) {
        rest += chunk;
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > MAX_EVENT_CHARS) throw new EngineAway('an event is too long');
        for (const line of lines) {
          const found = event.safeParse(parseJson(line));
          if (found.success && found.data.Type === 'container') yield eventOf(found.data);
        }
      }
    } catch (error) {
      rethrowAway(error);
    }
  }

  async #status(path: string): Promise<number> {
    try {
      const answer = await this.#get(path, AbortSignal.timeout(TIMEOUT_MS));
      answer.destroy();
      return answer.statusCode ?? 0;
    } catch {
      return 0;
    }
  }

  async #json(path: string): Promise<{ status: number; body: unknown; aheadMs: number }> {
    const answer = await this.#get(path, AbortSignal.timeout(TIMEOUT_MS)).catch(rethrowAway);
    const aheadMs = Math.max(0, Date.parse(answer.headers.date ?? '') - Date.now()) || 0;
    const text = await textOf(answer).catch(rethrowAway);
    return { status: answer.statusCode ?? 0, body: parseJson(text), aheadMs };
  }

  /** The path holds only what this file has written, and ids that were checked. */
  #get(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = request({
        ...this.#address,
        path,
        method: 'GET',
        agent: this.#agent,
        headers: { host: 'docker', accept: 'application/json, */*' },
        signal,
      });
      asked.on('response', resolve);
      asked.on('error', reject);
      // Over TCP, a machine that is gone would otherwise look like a container that is silent.
      asked.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      asked.end();
    });
  }

  #obstacle({ code = '', message }: NodeJS.ErrnoException): string {
    if (code === 'ENOENT')
      return `no socket at ${this.name}: does the engine run? --socket or DOCKER_HOST names another, such as ${USUAL_SOCKETS.filter((path) => path !== this.name).join(' or ')}`;
    if (code === 'EACCES' || code === 'EPERM')
      return `no permission for ${this.name}: run this as a member of the group that owns it (often docker), or give it a proxy of the socket`;
    if (code === 'ECONNREFUSED') return `nothing answers at ${this.name}: does the engine run?`;
    if (code.startsWith('HPE_') || code === 'ECONNRESET')
      return `${this.name} answers, but not like Docker or Podman`;
    return `no engine at ${this.name}: ${code === '' ? message : code}`;
  }
}

function eventOf({ Action, Actor, timeNano = 0 }: z.infer<typeof event>): ContainerEvent {
  const nanos =
    Number.isInteger(timeNano) && timeNano > 0 ? BigInt(timeNano).toString().padStart(19, '0') : '';
  const at = `${nanos.slice(0, -9)}.${nanos.slice(-9)}`;
  return {
    id: Actor.ID,
    action: Action,
    at: isStamp(at) ? at : undefined,
    attributes: Actor.Attributes ?? {},
  };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new EngineAway('the answer of the engine is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonIn(body: unknown, status: number): string {
  const { message } = (body ?? {}) as { message?: unknown };
  return typeof message === 'string' ? plain(message).slice(0, 200) : `HTTP ${status}`;
}

/** A name or words of the engine on one line, without what a terminal would obey or what turns the order of letters. */
export function plain(text: string): string {
  return withoutColors(text.replaceAll(/\s+/g, ' ')).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '');
}

function away(what: string, status: number, body: unknown): EngineAway {
  return new EngineAway(`${what}: ${reasonIn(body, status)}`);
}

function rethrowAway(error: unknown): never {
  if (error instanceof EngineAway) throw error;
  const { code, message } = error as NodeJS.ErrnoException;
  throw new EngineAway(code ?? message, { cause: error });
}
