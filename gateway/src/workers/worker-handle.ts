// A worker as its primary sees it: its process, the connections that its viewers have, and its metrics.

import cluster from 'node:cluster';
import type { LocalConnectionLimiter } from '../stream/viewer/connection-limiter.ts';
import type { FromPrimary, FromWorker, Measured } from './messages.ts';
import { PendingRequests } from './pending-requests.ts';

/** A worker that does not send its metrics within this time counts as silent. */
const PATIENCE_MS = 2_000;

export interface WorkerEvents {
  /** The worker has begun to listen. */
  listening(url: string): void;
  /** Gives the metrics of all workers. */
  metrics(): Promise<string | undefined>;
}

export class WorkerHandle {
  /** Resolves when the process has ended, or could not be started, with its exit code or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #worker = cluster.fork();
  readonly #limiter: LocalConnectionLimiter;
  readonly #events: WorkerEvents;
  readonly #connections = new Map<string, number>();
  readonly #requests = new PendingRequests<Measured>(PATIENCE_MS);
  /** Whether the worker serves: true from when it listens until it ends. */
  listens = false;
  #isOver = false;

  constructor(limiter: LocalConnectionLimiter, events: WorkerEvents) {
    this.#limiter = limiter;
    this.#events = events;
    const { promise, resolve } = Promise.withResolvers<number | string>();
    this.ended = promise.finally(() => this.#end());
    this.#worker.once('exit', (code: number | null, signal: string | null) => resolve(signal ?? code ?? 0));
    // A process that could not be started has no `exit`. All other errors come from the channel, which breaks when the process ends.
    this.#worker.on('error', (error) => this.pid === undefined && resolve(error.message));
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.#worker.process.kill(signal);
  }

  /** Undefined while the worker starts, hangs or is gone. */
  async collectMetrics(): Promise<Measured | undefined> {
    return this.listens ? this.#requests.send((id) => this.#send({ ask: 'measure', id })) : undefined;
  }

  #receive(message: FromWorker): void {
    // A message that the worker sent before it ended may arrive after its end. A connection counted then would never be released.
    if (this.#isOver) return;
    if ('answer' in message) {
      this.#requests.settle(message.id, message.metrics);
    } else if (message.ask === 'enter') {
      const refusal = this.#limiter.acquire(message.address);
      if (refusal === undefined) this.#count(message.address, 1);
      this.#send({ answer: 'enter', id: message.id, refusal });
    } else if (message.ask === 'leave') {
      this.#count(message.address, -1);
      this.#limiter.release(message.address);
    } else if (message.ask === 'metrics') {
      const { id } = message;
      this.#events
        .metrics()
        .then((text) => this.#send({ answer: 'metrics', id, text }))
        .catch(() => this.#send({ answer: 'metrics', id, text: undefined }));
    } else if (message.ask === 'listening') {
      this.listens = true;
      this.#events.listening(message.url);
    }
  }

  #count(address: string, change: 1 | -1): void {
    const count = (this.#connections.get(address) ?? 0) + change;
    if (count === 0) this.#connections.delete(address);
    else this.#connections.set(address, count);
  }

  #end(): void {
    this.#isOver = true;
    this.listens = false;
    this.#requests.close();
    for (const [address, count] of this.#connections)
      for (let i = 0; i < count; i++) this.#limiter.release(address);
  }

  #send(message: FromPrimary): void {
    // The channel may break at any time. An error can be ignored, because the end of the worker follows.
    if (this.#worker.isConnected()) this.#worker.send(message, () => {});
  }
}
