// How many bytes answers may take at once, over all requests: while they are made, and until their clients have taken them.
// A request without room waits; small answers have room of their own, so that they never wait for large ones.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { clientOf } from '../../client-of.ts';
import { Answer, AnswerRoom, LOOK_MS, noRoom } from './answer-room.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bytes that an answer of this route may take while it is made. Routes without it have tiny answers only. */
    answerBytes?: number | ((request: FastifyRequest) => number);
  }
  interface FastifyRequest {
    /**
     * Does `work`, which takes about `bytes` of memory, once there is room for it: for a route that learns from the body what it has
     * to do, and answers with little. @throws CodedError `too_many_answers`
     */
    withRoom<T>(bytes: number, work: () => Promise<T>): Promise<T>;
  }
}

/** The largest answer that counts as small. */
export const SMALL_ANSWER = 1_048_576;
export const ROOMS = { small: 8_388_608, large: 58_720_256 };
/** Requests that a client may send ahead on one connection. */
const MAX_AHEAD = 16;

/** `stallMs`: how long a socket may take nothing of an answer before it is closed; 0 for no limit. */
export function answerBudget(app: FastifyInstance, stallMs: number, rooms = ROOMS): void {
  const budget = new AnswerBudget(rooms);
  app.addHook('onRequest', (request, _reply, done) => {
    const { answerBytes } = request.routeOptions.config;
    if (answerBytes === undefined) done();
    else budget.enter(request, typeof answerBytes === 'number' ? answerBytes : answerBytes(request), done);
  });
  app.decorateRequest('withRoom', async function <
    T,
  >(this: FastifyRequest, bytes: number, work: () => Promise<T>) {
    await budget.waitForRoom(this, bytes);
    try {
      return await work();
    } finally {
      budget.leave(this);
    }
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload === 'string' || Buffer.isBuffer(payload))
      budget.made(request, Buffer.byteLength(payload));
    watchStalls(reply.raw, request.raw.socket, stallMs, () => budget.stalled(request));
  });
  app.addHook('onResponse', async (request) => budget.leave(request));
  app.addHook('onClose', async () => budget.close());
}

/** Calls `onStall` again and again while the client takes nothing; after `stallMs` of it, closes the connection. */
function watchStalls(answer: ServerResponse, socket: Socket, stallMs: number, onStall: () => void): void {
  let first = 0;
  let last = Number.NEGATIVE_INFINITY;
  const begin = () => {
    socket.setTimeout(LOOK_MS);
    // Node's own listener comes next, and sets the time of an idle connection, or begins to write the next answer.
    answer.prependOnceListener('finish', () => socket.setTimeout(0));
  };
  // Node emits it if the system has taken nothing of the answer during the last LOOK_MS.
  answer.on('timeout', () => {
    const now = performance.now();
    const isSecond = now - last < 2 * LOOK_MS;
    if (!isSecond) first = now - LOOK_MS;
    last = now;
    if (stallMs > 0 && now - first >= stallMs) {
      socket.destroy();
      return;
    }
    if (isSecond) onStall(); // once, it may be that this process was busy
    socket.setTimeout(LOOK_MS);
  });
  // Without a socket, its turn to be written has not come: the client sent other requests before it.
  if (answer.socket) begin();
  else answer.once('socket', begin);
}

interface Entered {
  answer: Answer;
  room: AnswerRoom;
}

class AnswerBudget {
  readonly #small: AnswerRoom;
  readonly #large: AnswerRoom;
  readonly #entered = new WeakMap<FastifyRequest, Entered>();
  /** Of each connection, in the order of its requests. Only the first waits for room, and is made. */
  readonly #lines = new WeakMap<Socket, Entered[]>();

  constructor(rooms: { small: number; large: number }) {
    this.#small = new AnswerRoom(rooms.small);
    this.#large = new AnswerRoom(rooms.large);
  }

  /** Calls `begin` as soon as there is room; never if the client has gone by then. */
  enter(request: FastifyRequest, bytes: number, begin: (error?: Error) => void): void {
    const { socket } = request.raw;
    if (socket.destroyed) return;
    const line = this.#lineOf(socket);
    if (line.length > MAX_AHEAD) {
      begin(noRoom());
      return;
    }
    const answer = new Answer(clientOf(request.ip), socket, bytes, begin);
    const entered = { answer, room: bytes <= SMALL_ANSWER ? this.#small : this.#large };
    this.#entered.set(request, entered);
    if (line.push(entered) === 1) entered.room.enter(answer);
  }

  /** Rejects if the client goes meanwhile: whoever waits for more than room must be able to give that back. */
  async waitForRoom(request: FastifyRequest, bytes: number): Promise<void> {
    const { socket } = request.raw;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const gone = () => reject(new CodedError('invalid_request', 'the client has gone'));
    if (socket.destroyed) gone();
    socket.once('close', gone);
    this.enter(request, bytes, (error) => (error ? reject(error) : resolve()));
    await promise.finally(() => socket.off('close', gone));
  }

  made(request: FastifyRequest, bytes: number): void {
    const entered = this.#entered.get(request);
    entered?.room.made(entered.answer, bytes);
  }

  stalled(request: FastifyRequest): void {
    const entered = this.#entered.get(request);
    if (entered) entered.answer.stalledAt = performance.now();
  }

  leave(request: FastifyRequest): void {
    const entered = this.#entered.get(request);
    if (!entered) return;
    this.#entered.delete(request); // it may enter again
    entered.room.leave(entered.answer);
    const line = this.#lineOf(request.raw.socket);
    if (line[0] !== entered) return; // the connection is closed
    line.shift();
    line[0]?.room.enter(line[0].answer);
  }

  close(): void {
    this.#small.close();
    this.#large.close();
  }

  #lineOf(socket: Socket): Entered[] {
    let line = this.#lines.get(socket);
    if (!line) {
      line = [];
      this.#lines.set(socket, line);
      socket.once('close', () => this.#gone(socket));
    }
    return line;
  }

  #gone(socket: Socket): void {
    const [first] = this.#lineOf(socket).splice(0);
    first?.room.leave(first.answer);
  }
}
