// Finds the runs whose gateway is gone. A run is lost if its sign of life has not changed for a whole lease, measured by this
// process's clock, while the log answered every time. So neither a paused log nor a paused watcher ends a run. A gateway watches its
// own runs as well: one of them whose signs of life do not get through, although this look does, is lost.

import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import type { RunStore } from './store/run-store.ts';

export interface LeaseWatchOptions {
  store: Pick<RunStore, 'running'>;
  leaseMs: number;
  /** Milliseconds between looks. */
  everyMs: number;
  /** Monotonic milliseconds. */
  now?: () => number;
  /** Called for a lost run. @param renewed the sign of life that has not changed. */
  onLost(key: OwnedKey, renewed: number): Promise<unknown>;
}

export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #now: () => number;
  readonly #seen = new Map<OwnedKey, { renewed: number; since: number }>();
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

  #judge(running: readonly { key: OwnedKey; renewed: number }[]): void {
    const { leaseMs, everyMs, onLost } = this.#options;
    const now = this.#now();
    // This process was paused itself, and may have missed signs of life.
    if (now - this.#lastLook > 2 * everyMs + 500) this.#seen.clear();
    this.#lastLook = now;
    const keys = new Set(running.map(({ key }) => key));
    for (const key of this.#seen.keys()) if (!keys.has(key)) this.#seen.delete(key);
    for (const { key, renewed } of running) {
      const known = this.#seen.get(key);
      if (known?.renewed !== renewed) this.#seen.set(key, { renewed, since: now });
      else if (now - known.since >= leaseMs) onLost(key, renewed).catch(() => this.#seen.delete(key));
    }
  }
}
