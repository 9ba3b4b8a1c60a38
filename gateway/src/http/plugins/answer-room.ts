// Bytes that large answers share. The client that holds least is served next, and an answer that is not taken gives way to
// the requests that wait. So one client, whatever it asks for and however little it reads, does not lock out the others.

import type { Socket } from 'node:net';
import { CodedError } from '@llm-streamer/shared/errors.ts';

const MAX_WAITING = 500;
/** How long a request waits for room at most. */
const PATIENCE_MS = 30_000;
const SWEEP_MS = 250;
/** How often it is looked whether a client takes anything. */
export const LOOK_MS = 300;
/** An answer of a client that holds much gives way after this time, to a client that would hold less. */
const GREEDY_MS = 1_000;
/** An answer that is taken slowly gives way after this time, to any other. */
const SLOW_MS = 5_000;

export class Answer {
  readonly client: string;
  readonly socket: Socket;
  /** What it takes while it is made, and then what it is. */
  bytes: number;
  /** Goes on with the request, or refuses it. */
  readonly begin: (error?: CodedError) => void;
  /** When it began to wait, or was made. */
  since = 0;
  /** When its client was last seen to take nothing, for the second time in a row or more. */
  stalledAt = Number.NEGATIVE_INFINITY;
  isMade = false;

  constructor(client: string, socket: Socket, bytes: number, begin: (error?: CodedError) => void) {
    this.client = client;
    this.socket = socket;
    this.bytes = bytes;
    this.begin = begin;
  }
}

interface Client {
  held: number;
  waiting: Answer[];
}

export class AnswerRoom {
  #free: number;
  #waiting = 0;
  readonly #begun = new Set<Answer>();
  /** Those that hold or wait for something. The one that was served last is at the end. */
  readonly #clients = new Map<string, Client>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** Begins the answer as soon as there is room. If too many wait, the client with the most waiting requests loses one. */
  enter(answer: Answer): void {
    answer.since = performance.now();
    const client = this.#clients.get(answer.client) ?? { held: 0, waiting: [] };
    this.#clients.set(answer.client, client);
    client.waiting.push(answer);
    this.#waiting++;
    this.#admit();
    if (this.#waiting > MAX_WAITING) {
      let longest = client;
      for (const other of this.#clients.values())
        if (other.waiting.length > longest.waiting.length) longest = other;
      this.#refuse(longest.waiting.at(-1) as Answer);
    }
    if (this.#waiting > 0) this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** From now on the answer takes this many bytes, until it leaves. */
  made(answer: Answer, bytes: number): void {
    if (!this.#begun.has(answer)) return; // its client has gone
    const held = Math.max(bytes, 1); // a client that holds nothing is forgotten
    this.#hold(answer, held - answer.bytes);
    answer.bytes = held;
    answer.since = performance.now();
    answer.isMade = true;
    this.#admit();
  }

  /** The answer is taken, or nobody waits for it any more. */
  leave(answer: Answer): void {
    if (this.#begun.delete(answer)) this.#hold(answer, -answer.bytes);
    else this.#remove(answer);
    this.#forgetIfIdle(answer.client);
    this.#admit();
  }

  close(): void {
    clearInterval(this.#sweeper);
  }

  #admit(): void {
    for (let next = this.#next(); next && next.bytes <= this.#free; next = this.#next()) {
      const client = this.#client(next);
      this.#remove(next);
      this.#begun.add(next);
      this.#hold(next, next.bytes);
      this.#clients.delete(next.client);
      this.#clients.set(next.client, client);
      next.begin();
    }
  }

  /** Of the clients that wait, the one that holds least; if several do, the one that was not served for longest. */
  #next(): Answer | undefined {
    let next: Client | undefined;
    for (const client of this.#clients.values())
      if (client.waiting.length > 0 && (!next || client.held < next.held)) next = client;
    return next?.waiting[0];
  }

  #refuse(answer: Answer): void {
    this.#remove(answer);
    this.#forgetIfIdle(answer.client);
    answer.begin(noRoom());
  }

  #sweep(): void {
    const now = performance.now();
    const waiting = [...this.#clients.values()].flatMap((client) => client.waiting);
    for (const answer of waiting) if (now - answer.since >= PATIENCE_MS) this.#refuse(answer);
    this.#admit();
    this.#giveWay(now);
    if (this.#waiting > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  /** Closes what is not taken, for all who wait; and what is taken slowly, for the next of them. The client that holds most is first. */
  #giveWay(now: number): void {
    const next = this.#next();
    if (!next) return;
    let lackingForNext = next.bytes - this.#free;
    let lackingForAll = -this.#free;
    for (const { waiting } of this.#clients.values()) for (const { bytes } of waiting) lackingForAll += bytes;
    const nextWouldHold = this.#client(next).held + next.bytes;
    const made = [...this.#begun].filter(({ isMade }) => isMade);
    made.sort((a, b) => this.#client(b).held - this.#client(a).held || a.since - b.since);
    for (const answer of made) {
      const { socket, bytes, since, stalledAt } = answer;
      const isStalled = now - stalledAt < 2 * LOOK_MS;
      const patience = this.#client(answer).held > nextWouldHold ? GREEDY_MS : SLOW_MS;
      if (isStalled ? lackingForAll <= 0 : lackingForNext <= 0 || now - since < patience) continue;
      lackingForAll -= bytes;
      lackingForNext -= bytes;
      socket.destroy();
    }
  }

  /** Of an answer that waits or has begun. */
  #client({ client }: Answer): Client {
    return this.#clients.get(client) as Client;
  }

  #hold(answer: Answer, bytes: number): void {
    this.#free -= bytes;
    this.#client(answer).held += bytes;
  }

  #remove(answer: Answer): void {
    const waiting = this.#clients.get(answer.client)?.waiting ?? [];
    const at = waiting.indexOf(answer);
    if (at < 0) return;
    waiting.splice(at, 1);
    this.#waiting--;
  }

  #forgetIfIdle(name: string): void {
    const client = this.#clients.get(name);
    if (client?.held === 0 && client.waiting.length === 0) this.#clients.delete(name);
  }
}

export function noRoom(): CodedError {
  return new CodedError('too_many_answers', 'too many large answers at a time; ask again in a moment');
}
