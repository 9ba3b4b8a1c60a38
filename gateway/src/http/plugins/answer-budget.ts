// How many bytes answers may take at once, over all requests: while they are made, and until their clients have taken them.
// What finds no room waits for its turn; an answer that nobody takes is closed, the sooner the more others wait for its room.

import type { Socket } from 'node:net';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bytes that an answer of this route may take while it is made. Routes without it have small answers only. */
    answerBytes?: number;
  }
}

const ROOM_BYTES = 67_108_864;
const MAX_WAITING = 500;
/** How long a request waits for room at most. */
const PATIENCE_MS = 30_000;
/** An answer that was not taken within this gives way where another request waits for its room. */
const GIVE_WAY_MS = 5_000;
const SWEEP_MS = 1_000;

interface Place {
  socket: Socket;
  bytes: number;
  /** When it began to wait, or was made. */
  since: number;
  /** Goes on with the request, or refuses it; undefined once it has gone on. */
  begin: ((error?: CodedError) => void) | undefined;
  isMade: boolean;
}

/** `stallMs`: how long a socket may take nothing of an answer before it is closed; 0 for ever. */
export function answerBudget(app: FastifyInstance, stallMs: number, roomBytes = ROOM_BYTES): void {
  const room = new AnswerRoom(roomBytes);
  app.addHook('onRequest', (request, _reply, done) => {
    const { answerBytes } = request.routeOptions.config;
    if (answerBytes === undefined) done();
    else room.enter(request, answerBytes, done);
  });
  app.addHook('onSend', async (request, _reply, payload) => {
    // Node takes this back as soon as the answer is written or the next request comes.
    request.raw.socket.setTimeout(stallMs);
    if (typeof payload === 'string' || Buffer.isBuffer(payload))
      room.made(request, Buffer.byteLength(payload));
  });
  app.addHook('onResponse', async (request) => room.leave(request));
  app.addHook('onClose', async () => room.close());
}

class AnswerRoom {
  #free: number;
  readonly #places = new Map<FastifyRequest, Place>();
  readonly #watched = new WeakSet<Socket>();
  #waiting: Place[] = [];
  #sweeper: NodeJS.Timeout | undefined;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Calls `begin` as soon as there is room; never where the client has gone by then. */
  enter(request: FastifyRequest, bytes: number, begin: (error?: CodedError) => void): void {
    const { socket } = request.raw;
    if (socket.destroyed) return;
    if (this.#waiting.length >= MAX_WAITING) {
      begin(noRoom());
      return;
    }
    if (!this.#watched.has(socket)) {
      // One listener, however many requests a client sends ahead.
      this.#watched.add(socket);
      socket.once('close', () => this.#gone(socket));
    }
    const place = { socket, bytes, since: performance.now(), begin, isMade: false };
    this.#places.set(request, place);
    this.#waiting.push(place);
    this.#admit();
    if (this.#waiting.length > 0) this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** The answer takes so many bytes until it is taken. */
  made(request: FastifyRequest, bytes: number): void {
    const place = this.#places.get(request);
    if (!place || place.begin) return;
    this.#free += place.bytes - bytes;
    place.bytes = bytes;
    place.since = performance.now();
    place.isMade = true;
    this.#admit();
  }

  leave(request: FastifyRequest): void {
    this.#forget(request);
    this.#admit();
  }

  close(): void {
    clearInterval(this.#sweeper);
  }

  /** Forgets all that came by it before anybody is let in: that might be one of these. */
  #gone(socket: Socket): void {
    for (const [request, place] of this.#places) if (place.socket === socket) this.#forget(request);
    this.#admit();
  }

  #forget(request: FastifyRequest): void {
    const place = this.#places.get(request);
    if (!place) return;
    this.#places.delete(request);
    if (place.begin) this.#waiting = this.#waiting.filter((other) => other !== place);
    else this.#free += place.bytes;
  }

  #admit(): void {
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
    for (const [request, place] of this.#places) {
      const { begin } = place;
      if (!begin || now - place.since < PATIENCE_MS) continue;
      this.leave(request);
      begin(noRoom());
    }
    let missing = (this.#waiting[0]?.bytes ?? 0) - this.#free;
    for (const { socket, bytes, since, isMade } of this.#places.values()) {
      if (missing <= 0) break;
      if (!isMade || now - since < GIVE_WAY_MS) continue;
      missing -= bytes;
      socket.destroy();
    }
    if (this.#waiting.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

function noRoom(): CodedError {
  return new CodedError('too_many_answers', 'too many large answers at a time; ask again in a moment');
}
