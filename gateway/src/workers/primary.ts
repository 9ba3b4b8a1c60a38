// The process that holds the port for several workers: counts their viewers together, adds up their metrics, replaces one
// that dies, and ends when all have ended.

import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { AggregatorRegistry } from 'prom-client';
import { type AdmissionLimits, Places } from '../stream/admission.ts';
import type { Answer, Question } from './messages.ts';

/** Before another takes a dead one's place: one that dies at once would keep the machine busy with its starts. */
const PAUSE_MS = 500;

export interface PrimaryOptions {
  workers: number;
  limits: AdmissionLimits;
  /** Milliseconds for workers to end after a signal. */
  graceMs: number;
  logger: Logger;
}

export class Primary {
  readonly #options: PrimaryOptions;
  readonly #places: Places;
  readonly #metrics = new AggregatorRegistry();
  #stopping = false;
  #told = false;

  constructor(options: PrimaryOptions) {
    this.#options = options;
    this.#places = new Places(options.limits);
  }

  /** Resolves with the exit code when every worker has ended. A worker that cannot start has said why. */
  async run(): Promise<number> {
    const { workers, graceMs } = this.#options;
    const stop = (signal: NodeJS.Signals) => {
      if (this.#stopping) return;
      this.#stopping = true;
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
      // A worker ends itself within the grace period; a frozen one cannot.
      setTimeout(() => {
        for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
      }, graceMs + 1_000).unref();
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    const codes = await Promise.all(Array.from({ length: workers }, () => this.#keep(stop)));
    return Math.max(...codes);
  }

  /** One worker after another in the same place, until the gateway stops. */
  async #keep(stop: (signal: NodeJS.Signals) => void): Promise<number> {
    for (;;) {
      const worker = cluster.fork();
      const taken = new Map<string, number>();
      worker.on('message', (question: Question) => void this.#answer(worker, taken, question));
      const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null];
      for (const [address, count] of taken) for (let i = 0; i < count; i++) this.#places.leave(address);
      if (this.#stopping) return code ?? 0;
      if (code === 1 && !this.#told) {
        // None has ever listened, and this one has said why it cannot.
        stop('SIGTERM');
        return code;
      }
      const { pid } = worker.process;
      this.#options.logger.error(`worker ${pid} ended with ${signal ?? code}; starting another`);
      await pause(PAUSE_MS);
      if (this.#stopping) return 0;
    }
  }

  /** `taken`: places that this worker's viewers have, by address. */
  async #answer(worker: Worker, taken: Map<string, number>, question: Question): Promise<void> {
    if (question.ask === 'enter') {
      const { id, address } = question;
      const refusal = this.#places.enter(address);
      if (refusal === undefined) taken.set(address, (taken.get(address) ?? 0) + 1);
      this.#say(worker, { answer: 'enter', id, refusal });
    } else if (question.ask === 'leave') {
      const { address } = question;
      taken.set(address, (taken.get(address) ?? 0) - 1);
      if (taken.get(address) === 0) taken.delete(address);
      this.#places.leave(address);
    } else if (question.ask === 'metrics') {
      const text = await this.#metrics.clusterMetrics();
      this.#say(worker, { answer: 'metrics', id: question.id, text });
    } else if (question.ask === 'listening' && !this.#told) {
      this.#told = true;
      process.send?.(question.url);
    }
  }

  #say(worker: Worker, answer: Answer): void {
    if (worker.isConnected()) worker.send(answer);
  }
}
