// A run of this gateway: it repeats its writes during an outage of the log, and renews the run's record, so that other gateways
// do not declare the run lost.

import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { BrokerUnavailable, PublishRefused } from '@llm-streamer/shared/errors.ts';
import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import type { RunWriter } from './pipeline.ts';
import { fenced, type RunEnding, type RunStore } from './store/run-store.ts';

export interface OwnedRunOptions {
  key: OwnedKey;
  token: string;
  store: RunStore;
  /** Milliseconds between signs of life. */
  renewMs: number;
}

const RETRY_MS = 250;
/** How long a write is repeated before the run fails. */
const PATIENCE_MS = 120_000;

export class OwnedRun implements RunWriter {
  readonly #options: OwnedRunOptions;
  readonly #over = new AbortController();
  readonly #writer = randomBytes(16).toString('hex');
  readonly #timer: NodeJS.Timeout;
  #seq = 0;

  constructor(options: OwnedRunOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#renew(), options.renewMs);
    this.#timer.unref();
  }

  /** Aborts when the run has ended, on this gateway or another. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  async append(drafts: readonly Draft[]): Promise<void> {
    const { key, token, store } = this.#options;
    const stamp = { writer: this.#writer, seq: ++this.#seq };
    await this.#persist(() => store.append(key, token, drafts, stamp));
  }

  async end(ending: RunEnding, drafts: readonly Draft[]): Promise<void> {
    const { key, token, store } = this.#options;
    const ended = await this.#persist(() => store.end(key, ending, drafts, { token }));
    if (!ended) throw fenced();
  }

  /** Stops the signs of life, and the model calls that are still running. */
  stop(): void {
    clearInterval(this.#timer);
    this.#over.abort();
  }

  #renew(): void {
    const { key, token, store } = this.#options;
    store.append(key, token, []).catch((error: unknown) => {
      // While the log cannot be reached, no other gateway can declare the run lost either.
      if (isFenced(error)) this.stop();
    });
  }

  /** Repeats `step` while the log cannot be reached. The stamp or the token makes it harmless if the log had taken the first one. */
  async #persist<T>(step: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    while (true) {
      try {
        return await step();
      } catch (error) {
        if (!(error instanceof BrokerUnavailable) || performance.now() > deadline) throw error;
        if (this.over.aborted) throw fenced();
        await pause(RETRY_MS);
      }
    }
  }
}

export function isFenced(error: unknown): boolean {
  return error instanceof PublishRefused && error.code === 'fenced';
}
