// How many bytes large answers may take at once, over all requests: while they are made, and until their clients have read
// them. A request that finds too little left waits. An answer that its client does not read is closed, and sooner if others wait.

import type { Socket } from 'node:net';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bytes that an answer of this route may take while it is made. A route without it has small answers only. */
    answerBytes?: number;
  }
}

const BUDGET_BYTES = 67_108_864;
/** More requests than this do not wait; they are refused. */
const MAX_WAITING = 500;
/** A request that has waited for this long is refused. */
const MAX_WAIT_MS = 30_000;
/** An answer that its client has not read within this time is closed if another request waits for its bytes. */
const RECLAIM_AFTER_MS = 5_000;
const SWEEP_MS = 1_000;

interface Reservation {
  socket: Socket;
  bytes: number;
  /** When the request began to wait, or when its answer was made. */
  since: number;
  /** Lets the request go on, or refuses it; undefined once the request has its bytes. */
  begin: ((error?: CodedError) => void) | undefined;
  isMade: boolean;
}

/** `stallMs`: how long a client may read nothing of an answer before its socket is closed; 0: without limit. */
export function answerBudget(app: FastifyInstance, stallMs: number, budgetBytes = BUDGET_BYTES): void {
  const budget = new AnswerBudget(budgetBytes);
  app.addHook('onRequest', (request, _reply, done) => {
    const { answerBytes } = request.routeOptions.config;
    if (answerBytes === undefined) done();
    else budget.acquire(request, answerBytes, done);
  });
  app.addHook('onSend', async (request, _reply, payload) => {
    // Node ends this timeout by itself when the answer is written or the next request comes.
    request.raw.socket.setTimeout(stallMs);
    if (typeof payload === 'string' || Buffer.isBuffer(payload))
      budget.resize(request, Buffer.byteLength(payload));
  });
  app.addHook('onResponse', async (request) => budget.release(request));
  app.addHook('onClose', async () => budget.close());
}

class AnswerBudget {
  #free: number;
  readonly #reservations = new Map<FastifyRequest, Reservation>();
  readonly #watched = new WeakSet<Socket>();
  #waiting: Reservation[] = [];
  #sweeper: NodeJS.Timeout | undefined;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Calls `begin` as soon as there are enough bytes left; never if the client is gone by then. */
  acquire(request: FastifyRequest, bytes: number, begin: (error?: CodedError) => void): void {
    const { socket } = request.raw;
    if (socket.destroyed) return;
    if (this.#waiting.length >= MAX_WAITING) {
      begin(tooManyAnswers());
      return;
    }
    if (!this.#watched.has(socket)) {
      // One listener for a socket, however many requests its client pipelines.
      this.#watched.add(socket);
      socket.once('close', () => this.#releaseAllOf(socket));
    }
    const reservation = { socket, bytes, since: performance.now(), begin, isMade: false };
    this.#reservations.set(request, reservation);
    this.#waiting.push(reservation);
    this.#grant();
    if (this.#waiting.length > 0) this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** The answer is made, and takes this many bytes until its client has read it. */
  resize(request: FastifyRequest, bytes: number): void {
    const reservation = this.#reservations.get(request);
    if (!reservation || reservation.begin) return;
    this.#free += reservation.bytes - bytes;
    reservation.bytes = bytes;
    reservation.since = performance.now();
    reservation.isMade = true;
    this.#grant();
  }

  release(request: FastifyRequest): void {
    this.#forget(request);
    this.#grant();
  }

  close(): void {
    clearInterval(this.#sweeper);
  }

  /** Forgets all requests of the socket before it grants anything: the next in the queue could be one of them. */
  #releaseAllOf(socket: Socket): void {
    for (const [request, reservation] of this.#reservations)
      if (reservation.socket === socket) this.#forget(request);
    this.#grant();
  }

  #forget(request: FastifyRequest): void {
    const reservation = this.#reservations.get(request);
    if (!reservation) return;
    this.#reservations.delete(request);
    if (reservation.begin) this.#waiting = this.#waiting.filter((other) => other !== reservation);
    else this.#free += reservation.bytes;
  }

  #grant(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.bytes;
      const { begin } = next;
      next.begin = undefined;
      begin?.();
    }
  }

  #sweep(): void {
    const now = performance.now();
    for (const [request, { begin, since }] of this.#reservations) {
      if (!begin || now - since < MAX_WAIT_MS) continue;
      this.release(request);
      begin(tooManyAnswers());
    }
    let missing = (this.#waiting[0]?.bytes ?? 0) - this.#free;
    for (const { socket, bytes, since, isMade } of this.#reservations.values()) {
      if (missing <= 0) break;
      if (!isMade || now - since < RECLAIM_AFTER_MS) continue;
      missing -= bytes;
      socket.destroy();
    }
    if (this.#waiting.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

function tooManyAnswers(): CodedError {
  return new CodedError('too_many_answers', 'too many large answers at a time; ask again in a moment');
}
