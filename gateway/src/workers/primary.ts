// The process that holds the port for several workers: it counts the viewers of all, adds up their metrics, replaces a worker
// that dies, and ends when all have ended.

import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { onUncaught } from '@llm-streamer/shared/uncaught.ts';
import { AggregatorRegistry, Gauge, Registry } from 'prom-client';
import { type ConnectionLimits, LocalConnectionLimiter } from '../stream/viewer/connection-limiter.ts';
import { WorkerHandle } from './worker-handle.ts';

/** The pause before a dead worker is replaced. Without it, a worker that dies at once would keep the machine busy with starts. */
const RESTART_PAUSE_MS = 500;
/** How long after the grace period a worker is killed. */
const KILL_AFTER_MS = 1_000;

export interface PrimaryOptions {
  workers: number;
  limits: ConnectionLimits;
  /** Milliseconds for workers to end after a signal. */
  graceMs: number;
  logger: Logger;
}

export class Primary {
  readonly #options: PrimaryOptions;
  readonly #limiter: LocalConnectionLimiter;
  /** The workers by their numbers, from 1; undefined while one is being replaced. */
  readonly #workers = new Map<number, WorkerHandle | undefined>();
  readonly #silent = new Set<WorkerHandle>();
  #totals: Promise<string> | undefined;
  #stopping = false;
  #hasListened = false;

  constructor(options: PrimaryOptions) {
    this.#options = options;
    this.#limiter = new LocalConnectionLimiter(options.limits);
  }

  /** Resolves with the exit code when every worker has ended. A worker that cannot start prints the reason itself. */
  async run(): Promise<number> {
    const { workers, graceMs, logger } = this.#options;
    const stop = (signal: NodeJS.Signals) => {
      if (this.#stopping) return;
      this.#stopping = true;
      for (const member of this.#workers.values()) member?.kill(signal);
      // A worker ends itself within the grace period; a frozen one cannot.
      setTimeout(() => {
        for (const member of this.#workers.values()) member?.kill('SIGKILL');
      }, graceMs + KILL_AFTER_MS).unref();
    };
    // If the primary died, its workers would die at once, without `bye` events to their viewers. So it stops them first.
    onUncaught(
      (line) => logger.fatal(line),
      () => stop('SIGTERM'),
      graceMs + 2 * KILL_AFTER_MS,
    );
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    const codes = await Promise.all(Array.from({ length: workers }, (_, i) => this.#keep(i + 1, stop)));
    return Math.max(...codes);
  }

  /** One worker after another under the same number, until the gateway stops. */
  async #keep(number: number, stop: (signal: NodeJS.Signals) => void): Promise<number> {
    for (;;) {
      const member = new WorkerHandle(this.#limiter, {
        listening: (url) => this.#listening(url),
        metrics: () => this.#metrics(),
      });
      this.#workers.set(number, member);
      const how = await member.ended;
      this.#workers.set(number, undefined);
      this.#silent.delete(member);
      if (this.#stopping) return typeof how === 'number' ? how : 0;
      if (how === 1 && !this.#hasListened) {
        // No worker has ever listened, and this one has printed why it cannot.
        stop('SIGTERM');
        return how;
      }
      this.#options.logger.error(`worker ${number} (${member.pid}) ended with ${how}; starting another`);
      await pause(RESTART_PAUSE_MS);
      if (this.#stopping) return 0;
    }
  }

  #listening(url: string): void {
    if (this.#hasListened) return;
    this.#hasListened = true;
    process.send?.(url, () => {}); // an error means that the process that started this one has gone
  }

  /** Those who want the totals at the same time share one request to the workers. */
  #metrics(): Promise<string> {
    this.#totals ??= this.#askAll().finally(() => {
      this.#totals = undefined;
    });
    return this.#totals;
  }

  async #askAll(): Promise<string> {
    const own = new Registry();
    const up = new Gauge({
      name: 'llm_streamer_worker_up',
      help: '1: the other figures count this worker; 0: it is starting, hangs or has just died.',
      labelNames: ['worker'],
      registers: [own],
    });
    const asked = [...this.#workers].map(async ([number, member]) => {
      const measured = await member?.collectMetrics();
      if (member) this.#noteSilence(number, member, measured === undefined);
      return { number, measured };
    });
    const answers = await Promise.all(asked);
    for (const { number, measured } of answers) up.set({ worker: number }, measured === undefined ? 0 : 1);
    const measured = answers.flatMap((answer) => (answer.measured === undefined ? [] : [answer.measured]));
    return (await AggregatorRegistry.aggregate(measured).metrics()) + (await own.metrics());
  }

  /** One line when a worker falls silent, one when it is back. */
  #noteSilence(number: number, member: WorkerHandle, isSilent: boolean): void {
    if (!member.listens || isSilent === this.#silent.has(member)) return;
    if (isSilent) this.#silent.add(member);
    else this.#silent.delete(member);
    this.#options.logger.warn(
      `worker ${number} (${member.pid}) ${isSilent ? 'does not answer; the metrics are without it' : 'answers again'}`,
    );
  }
}
