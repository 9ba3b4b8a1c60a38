// A worker's side of several processes on one port: limits and metrics are those of all, and the primary keeps them. A
// primary that does not answer is named to whoever waits for it.

import type { Registry } from 'prom-client';
import type { ConnectionLimiter, NoPlace } from '../stream/viewer/connection-limiter.ts';
import type { FromPrimary, FromWorker } from './messages.ts';
import { PendingRequests } from './pending-requests.ts';

/** A primary that does not answer within this counts as unavailable. It gives its workers less time for their metrics. */
const PATIENCE_MS = 5_000;

type Answer = Extract<FromPrimary, { answer: string }>;

export class WorkerLink implements ConnectionLimiter {
  readonly #registry: Registry;
  readonly #questions = new PendingRequests<Answer>(PATIENCE_MS);

  /** `registry` is added to those of the other workers. */
  constructor(registry: Registry) {
    this.#registry = registry;
    process.on('message', (message: FromPrimary) => {
      if ('answer' in message) this.#questions.settle(message.id, message);
      else if (message.ask === 'measure') this.#measure(message.id);
    });
  }

  async acquire(address: string): Promise<NoPlace | undefined> {
    const answer = await this.#questions.send(
      (id) => this.#say({ ask: 'enter', id, address }),
      (late) => {
        // The viewer has been refused meanwhile, so that nobody else would give this place back.
        if (late.answer === 'enter' && late.refusal === undefined) this.release(address);
      },
    );
    return answer?.answer === 'enter' ? answer.refusal : 'primary_unavailable';
  }

  release(address: string): void {
    this.#say({ ask: 'leave', address });
  }

  /** Of all workers, in Prometheus' text form; undefined where the primary does not give them. */
  async metrics(): Promise<string | undefined> {
    const answer = await this.#questions.send((id) => this.#say({ ask: 'metrics', id }));
    return answer?.answer === 'metrics' ? answer.text : undefined;
  }

  /** Where there is no answer the primary counts this worker as silent. */
  #measure(id: number): void {
    this.#registry
      .getMetricsAsJSON()
      .then((metrics) => this.#say({ answer: 'measure', id, metrics }))
      .catch(() => {});
  }

  #say(message: FromWorker): void {
    // A primary that has ended takes its workers along; what could not be sent to it matters no more.
    if (process.connected) process.send?.(message, () => {});
  }
}
