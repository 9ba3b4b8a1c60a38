// The metrics of the door. No label is chosen by a client.

import { Counter, Gauge, type Registry } from 'prom-client';

export type CallOutcome = 'finished' | 'failed' | 'cancelled';

export class DoorMetrics {
  readonly #calls: Counter;
  readonly #unread: Counter;

  /** @param active the number of calls that go on. @param unlogged entries that were lost because the log was away or too slow. */
  constructor(registry: Registry, active: () => number, unlogged: () => number) {
    const registers = [registry];
    this.#calls = new Counter({
      name: 'llm_streamer_door_calls_total',
      help: 'Calls of OpenAI clients that have ended.',
      labelNames: ['operation', 'outcome'],
      registers,
    });
    this.#unread = new Counter({
      name: 'llm_streamer_door_unread_answers_total',
      help: 'Answers that passed, and could not be read along for the log.',
      registers,
    });
    new Gauge({
      name: 'llm_streamer_door_calls_active',
      help: 'Calls of OpenAI clients that go on.',
      registers,
      collect() {
        this.set(active());
      },
    });
    new Counter({
      name: 'llm_streamer_door_unlogged_entries_total',
      help: 'Entries about calls that were lost, because the log was away or too slow for longer than the buffer holds.',
      registers,
      collect() {
        this.reset();
        this.inc(unlogged());
      },
    });
  }

  ended(operation: string, outcome: CallOutcome): void {
    this.#calls.inc({ operation, outcome });
  }

  unread(): void {
    this.#unread.inc();
  }
}
