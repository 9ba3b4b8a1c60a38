// Measures how long an agent works: only while at least one model or tool is being waited for. While a run does nothing but wait for
// somebody's consent, its clock stands still.

import { LlmError } from '../llm/failure.ts';

export class WorkClock {
  readonly #late = new AbortController();
  #leftMs: number;
  #working = 0;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#leftMs = timeoutMs;
  }

  /** Aborts with `llm_timeout` when the time is over. */
  get signal(): AbortSignal {
    return this.#late.signal;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#working++ === 0) this.#start();
    try {
      return await work();
    } finally {
      if (--this.#working === 0) this.#stop();
    }
  }

  #start(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(() => this.#late.abort(new LlmError('llm_timeout')), Math.max(0, this.#leftMs));
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#since;
  }
}
