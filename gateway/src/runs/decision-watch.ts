// Waits until somebody has decided about calls of one run that need consent. The run's record says what was decided: it is looked at when
// this gateway hears that something was, and also from time to time, because what it hears may be missed, or be said by anybody.

import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import { joined } from './joined.ts';
import type { Decision, RunStore } from './store/run-store.ts';

export interface DecisionWatchOptions {
  key: OwnedKey;
  store: Pick<RunStore, 'get'>;
  /** Milliseconds between looks. */
  everyMs: number;
}

export class DecisionWatch {
  readonly #options: DecisionWatchOptions;
  readonly #waiting = new Map<string, (decision: Decision) => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DecisionWatchOptions) {
    this.#options = options;
  }

  /** Resolves with the decision, or with undefined when `signal` aborts. */
  async wait(approval: string, signal: AbortSignal): Promise<Decision | undefined> {
    const { promise, resolve } = Promise.withResolvers<Decision | undefined>();
    const give = () => resolve(undefined);
    signal.addEventListener('abort', give, { once: true });
    if (signal.aborted) give();
    this.#waiting.set(approval, resolve);
    this.#timer ??= setInterval(() => this.look().catch(() => undefined), this.#options.everyMs).unref();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', give);
      this.#waiting.delete(approval);
      if (this.#waiting.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }

  /** Rejects with BrokerUnavailable if the log cannot be asked; the next look may succeed. */
  readonly look = joined(() => this.#look());

  async #look(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const { store, key } = this.#options;
    const record = await store.get(key);
    for (const { id, decision } of record?.approvals ?? []) if (decision) this.#waiting.get(id)?.(decision);
  }
}
