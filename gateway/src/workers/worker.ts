// A worker's link to its primary, which has the limits and the metrics of all workers. If the primary does not answer, clients
// get `primary_unavailable`.

import type { Registry } from 'prom-client';
import type { ConnectionLimiter, NoPlace } from '../stream/viewer/connection-limiter.ts';
import type { FromPrimary, FromWorker } from './messages.ts';
import { PendingRequests } from './pending-requests.ts';

/** A primary that does not answer within this time counts as unavailable. It is longer than the primary waits for its workers' metrics. */
const PATIENCE_MS = 5_000;

type Answer = Extract<FromPrimary, { answer: string }>;

export class WorkerLink implements ConnectionLimiter {
  readonly #registry: Registry;
  readonly #requests = new PendingRequests<Answer>(PATIENCE_MS);

  /** @param registry has the metrics of this worker, which are added to those of the others. */
  constructor(registry: Registry) {
    this.#registry = registry;
    process.on('message', (message: FromPrimary) => {
      if ('answer' in message) this.#requests.settle(message.id, message);
      else if (message.ask === 'measure') this.#measure(message.id);
    });
  }

  async acquire(address: string): Promise<NoPlace | undefined> {
    const answer = await this.#requests.send(
      (id) => this.#send({ ask: 'enter', id, address }),
      (late) => {
        // The viewer has been refused meanwhile, so this connection has to be released here.
        if (late.answer === 'enter' && late.refusal === undefined) this.release(address);
      },
    );
    return answer?.answer === 'enter' ? answer.refusal : 'primary_unavailable';
  }

  release(address: string): void {
    this.#send({ ask: 'leave', address });
  }

  /** The metrics of all workers, in Prometheus' text form; undefined if the primary does not send them. */
  async metrics(): Promise<string | undefined> {
    const answer = await this.#requests.send((id) => this.#send({ ask: 'metrics', id }));
    return answer?.answer === 'metrics' ? answer.text : undefined;
  }

  /** After an error nothing is sent, and the primary counts this worker as silent. */
  #measure(id: number): void {
    this.#registry
      .getMetricsAsJSON()
      .then((metrics) => this.#send({ answer: 'measure', id, metrics }))
      .catch(() => {});
  }

  #send(message: FromWorker): void {
    // When the primary ends, its workers end, too. So a message that could not be sent does not matter.
    if (process.connected) process.send?.(message, () => {});
  }
}
