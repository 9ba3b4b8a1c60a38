// A run of this gateway: it repeats its writes during an outage of the log, and renews the run's record, so that other gateways
// do not declare the run lost.

import { randomBytes } from 'node:crypto';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { PublishRefused } from '@llm-streamer/shared/errors.ts';
import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import type { RunWriter } from './pipeline.ts';
import { repeatedWrite } from './repeated-write.ts';
import { fenced, type RunEnding, type RunStore } from './store/run-store.ts';

export interface LeasedRunOptions {
  key: OwnedKey;
  /** The fencing token, which the store compares with that of the record at each write. */
  token: string;
  store: RunStore;
  /** Milliseconds between signs of life. */
  renewMs: number;
}

/** How long a write is repeated before the run fails. */
const PATIENCE_MS = 120_000;

export class LeasedRun implements RunWriter {
  readonly #options: LeasedRunOptions;
  readonly #over = new AbortController();
  /** Of the stamps, which the log keeps for a day: so it is not the fencing token, which is kept with the record alone. */
  readonly #writer = randomBytes(16).toString('hex');
  readonly #timer: NodeJS.Timeout;
  #seq = 0;

  constructor(options: LeasedRunOptions) {
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
    await repeatedWrite(
      () => store.append(key, token, drafts, stamp),
      PATIENCE_MS,
      () => {
        if (this.over.aborted) throw fenced();
      },
    );
  }

  /** @throws PublishRefused `fenced` if the run has had another end before */
  async end(ending: RunEnding, drafts: readonly Draft[]): Promise<void> {
    const { key, token, store } = this.#options;
    const isEnded = await repeatedWrite(async (tries) => {
      if (await store.end(key, ending, drafts, { token })) return true;
      if (tries === 1) return false;
      // An earlier try may have ended the run, and only its reply was lost.
      const record = await store.get(key);
      return record?.state === ending.state && record.code === ending.code;
    }, PATIENCE_MS);
    if (!isEnded) throw fenced();
  }

  /** Stops the signs of life, and the model calls that are still running. */
  stop(): void {
    clearInterval(this.#timer);
    this.#over.abort();
  }

  #renew(): void {
    const { key, token, store } = this.#options;
    store.append(key, token, []).catch((error: unknown) => {
      // Any other failure is left to the next sign of life. If the log cannot be reached by anybody, nobody declares the run lost. If
      // only this gateway is cut off, another one does so after a lease, and the first write after that is refused.
      if (isFenced(error)) this.stop();
    });
  }
}

export function isFenced(error: unknown): boolean {
  return error instanceof PublishRefused && error.code === 'fenced';
}
