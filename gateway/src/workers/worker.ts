// A worker's side of several processes on one port: limits and metrics are those of all, and the primary keeps them.

import { AggregatorRegistry, type Registry } from 'prom-client';
import type { Admission, OverLimit } from '../stream/admission.ts';
import type { Answer, Question } from './messages.ts';

export class WorkerLink implements Admission {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  /** `registry` is added to those of the other workers. */
  constructor(registry: Registry) {
    AggregatorRegistry.setRegistries([registry]);
    new AggregatorRegistry(); // answers the primary's questions for metrics
    process.on('message', (message: Partial<Answer>) => {
      if (message.answer === undefined || message.id === undefined) return;
      this.#waiting.get(message.id)?.(message as Answer);
      this.#waiting.delete(message.id);
    });
  }

  async enter(address: string): Promise<OverLimit | undefined> {
    const answer = await this.#ask((id) => ({ ask: 'enter', id, address }));
    return answer.answer === 'enter' ? answer.refusal : undefined;
  }

  leave(address: string): void {
    this.#say({ ask: 'leave', address });
  }

  /** Of all workers, in Prometheus' text form. */
  async metrics(): Promise<string> {
    const answer = await this.#ask((id) => ({ ask: 'metrics', id }));
    return answer.answer === 'metrics' ? answer.text : '';
  }

  #ask(question: (id: number) => Question): Promise<Answer> {
    const id = ++this.#asked;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#say(question(id));
    });
  }

  #say(question: Question): void {
    if (process.connected) process.send?.(question);
  }
}
