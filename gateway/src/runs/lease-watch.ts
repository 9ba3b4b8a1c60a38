// Finds the runs whose gateway is gone. A run is lost if its sign of life has not changed for a whole lease, measured by this
// process's clock, while the log answered every time. So neither a paused log nor a paused watcher ends a run.

import type { RunStore } from './store/run-store.ts';

export interface LeaseWatchOptions {
  store: Pick<RunStore, 'running'>;
  leaseMs: number;
  /** Milliseconds between looks. */
  everyMs: number;
  /** Monotonic milliseconds. */
  now?: () => number;
  /** Called for a lost run. @param renewed the sign of life that has not changed. */
  onLost(id: string, renewed: number): Promise<unknown>;
}

export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #now: () => number;
  readonly #seen = new Map<string, { renewed: number; since: number }>();
  #lastLook = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  start(): void {
    this.#timer ??= setInterval(
      () => this.checkNow().catch(() => this.#seen.clear()),
      this.#options.everyMs,
    ).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async checkNow(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      this.#judge(await this.#options.store.running());
    } catch {
      this.#seen.clear(); // the log did not answer, so the time begins anew for every run
    } finally {
      this.#looking = false;
    }
  }

  #judge(running: readonly { id: string; renewed: number }[]): void {
    const { leaseMs, everyMs, onLost } = this.#options;
    const now = this.#now();
    // This process was paused itself, and may have missed signs of life.
    if (now - this.#lastLook > 2 * everyMs + 500) this.#seen.clear();
    this.#lastLook = now;
    const ids = new Set(running.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    for (const { id, renewed } of running) {
      const known = this.#seen.get(id);
      if (known?.renewed !== renewed) this.#seen.set(id, { renewed, since: now });
      else if (now - known.since >= leaseMs) onLost(id, renewed).catch(() => this.#seen.delete(id));
    }
  }
}
