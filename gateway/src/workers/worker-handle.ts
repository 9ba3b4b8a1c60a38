// One worker as its primary sees it: its process, the places that its viewers have taken, and its metrics while it answers.

import cluster from 'node:cluster';
import type { LocalConnectionLimiter } from '../stream/viewer/connection-limiter.ts';
import type { FromPrimary, FromWorker, Measured } from './messages.ts';
import { PendingRequests } from './pending-requests.ts';

/** A worker that does not tell its metrics within this counts as silent. */
const PATIENCE_MS = 2_000;

export interface WorkerEvents {
  /** It listens there. */
  listening(url: string): void;
  /** It wants the metrics of all. */
  metrics(): Promise<string | undefined>;
}

export class WorkerHandle {
  /** Resolves when the process has ended, or could not be started, with its exit code or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #worker = cluster.fork();
  readonly #places: LocalConnectionLimiter;
  readonly #events: WorkerEvents;
  readonly #taken = new Map<string, number>();
  readonly #questions = new PendingRequests<Measured>(PATIENCE_MS);
  /** Whether it has begun to serve; false again once it has ended. */
  listens = false;
  #isOver = false;

  constructor(places: LocalConnectionLimiter, events: WorkerEvents) {
    this.#places = places;
    this.#events = events;
    const { promise, resolve } = Promise.withResolvers<number | string>();
    this.ended = promise.finally(() => this.#end());
    this.#worker.once('exit', (code: number | null, signal: string | null) => resolve(signal ?? code ?? 0));
    // A process that could not be started has no exit. Other errors are those of its channel, which breaks when it ends.
    this.#worker.on('error', (error) => this.pid === undefined && resolve(error.message));
    this.#worker.on('message', (message: FromWorker) => this.#hear(message));
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.#worker.process.kill(signal);
  }

  /** Undefined while it starts, hangs or is gone. */
  async collectMetrics(): Promise<Measured | undefined> {
    return this.listens ? this.#questions.send((id) => this.#say({ ask: 'measure', id })) : undefined;
  }

  #hear(message: FromWorker): void {
    // What a process sent before it ended may arrive after its end: a place taken then would never be given back.
    if (this.#isOver) return;
    if ('answer' in message) {
      this.#questions.settle(message.id, message.metrics);
    } else if (message.ask === 'enter') {
      const refusal = this.#places.acquire(message.address);
      if (refusal === undefined) this.#count(message.address, 1);
      this.#say({ answer: 'enter', id: message.id, refusal });
    } else if (message.ask === 'leave') {
      this.#count(message.address, -1);
      this.#places.release(message.address);
    } else if (message.ask === 'metrics') {
      const { id } = message;
      this.#events
        .metrics()
        .then((text) => this.#say({ answer: 'metrics', id, text }))
        .catch(() => this.#say({ answer: 'metrics', id, text: undefined }));
    } else if (message.ask === 'listening') {
      this.listens = true;
      this.#events.listening(message.url);
    }
  }

  #count(address: string, change: 1 | -1): void {
    const count = (this.#taken.get(address) ?? 0) + change;
    if (count === 0) this.#taken.delete(address);
    else this.#taken.set(address, count);
  }

  #end(): void {
    this.#isOver = true;
    this.listens = false;
    this.#questions.close();
    for (const [address, count] of this.#taken) for (let i = 0; i < count; i++) this.#places.release(address);
  }

  #say(message: FromPrimary): void {
    // Its channel may break at any time; its end then tells.
    if (this.#worker.isConnected()) this.#worker.send(message, () => {});
  }
}
