// What the rules remember, in memory, for a log in memory: all of it ends with the process, as the log does.

import type { FiringAlert } from '@llm-streamer/shared/api-types.ts';
import type { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import type { AlertState } from '../alerts/alert-state.ts';
import { readFiring, readState } from './kept-json.ts';
import { type Lead, MAX_WAITING, PAUSE_MS, type RulesStore, type Step } from './rules-store.ts';

export class MemoryRulesStore implements RulesStore {
  readonly #broker: MemoryBroker;
  readonly #states = new Map<string, string>();
  readonly #firing = new Map<string, string>();
  readonly #waiting = new Map<string, string[]>();
  #seq = 0;
  #position: number | undefined;
  #renewed = Number.NEGATIVE_INFINITY;
  #watched = 0;

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
  }

  async begin(): Promise<void> {
    this.#position ??= await this.#broker.head();
  }

  /** There is one process, so nobody else can hold the lease. */
  async lead(): Promise<Lead> {
    const now = Date.now();
    const head = await this.#broker.head();
    if (now - this.#renewed > PAUSE_MS) this.#watched = now;
    this.#renewed = now;
    this.#position ??= head;
    return { seq: this.#seq, position: this.#position, head, now, watched: this.#watched };
  }

  async states(): Promise<[string, AlertState][]> {
    return [...this.#states].flatMap(([id, text]) => {
      const state = readState(text);
      return state === undefined ? [] : [[id, state]];
    });
  }

  async commit(
    _holder: string,
    { seq, position, drafts, states, firing, messages }: Step,
  ): Promise<{ dropped: number }> {
    if (seq === this.#seq) return { dropped: 0 };
    await this.#broker.publishWhole(drafts);
    apply(this.#states, states);
    apply(this.#firing, firing);
    let dropped = 0;
    for (const { destination, message } of messages) {
      const queue = this.#waiting.get(destination) ?? [];
      this.#waiting.set(destination, queue);
      queue.push(message);
      if (queue.length <= MAX_WAITING) continue;
      queue.shift();
      dropped++;
    }
    this.#seq = seq;
    this.#position = position;
    return { dropped };
  }

  async resign(): Promise<void> {}

  async firing(): Promise<FiringAlert[]> {
    return [...this.#firing.values()].flatMap((text) => readFiring(text) ?? []);
  }

  async waiting(destination: string, most: number): Promise<string[]> {
    return this.#waiting.get(destination)?.slice(0, most) ?? [];
  }

  async delivered(_holder: string, destination: string, count: number): Promise<void> {
    this.#waiting.get(destination)?.splice(0, count);
  }

  async close(): Promise<void> {}
}

function apply(kept: Map<string, string>, changes: ReadonlyMap<string, string | undefined>): void {
  for (const [id, text] of changes) {
    if (text === undefined) kept.delete(id);
    else kept.set(id, text);
  }
}
