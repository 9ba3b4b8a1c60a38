// A run of this gateway: it repeats its writes during an outage of the log, and renews the run's record, so that other gateways
// do not declare the run lost.

import { randomBytes } from 'node:crypto';
import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { PublishRefused } from '@llm-streamer/shared/errors.ts';
import type { OwnedKey } from '@llm-streamer/shared/ownership.ts';
import { DecisionWatch } from './decision-watch.ts';
import { repeatedWrite } from './repeated-write.ts';
import type { AskingWriter } from './run-work.ts';
import { type Decision, fenced, type RunEnding, type RunStore } from './store/run-store.ts';

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

export class LeasedRun implements AskingWriter {
  readonly #options: LeasedRunOptions;
  readonly #over = new AbortController();
  /** Of the stamps, which the log keeps for a day: so it is not the fencing token, which is kept with the record alone. */
  readonly #writer = randomBytes(16).toString('hex');
  readonly #timer: NodeJS.Timeout;
  /** Of the calls that wait for consent. */
  readonly decisions: DecisionWatch;
  #seq = 0;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(options: LeasedRunOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#renew(), options.renewMs);
    this.#timer.unref();
    const { key, store, renewMs: everyMs } = options;
    this.decisions = new DecisionWatch({ key, store, everyMs });
  }

  /** Aborts when the run has ended, on this gateway or another. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  append(drafts: readonly Draft[]): Promise<void> {
    const { key, token, store } = this.#options;
    return this.#inTurn((stamp) => store.append(key, token, drafts, stamp));
  }

  ask(approval: string, drafts: readonly Draft[]): Promise<void> {
    const { key, token, store } = this.#options;
    return this.#inTurn((stamp) => store.ask(key, token, approval, drafts, stamp));
  }

  decided(approval: string, signal: AbortSignal): Promise<Decision | undefined> {
    return this.decisions.wait(approval, AbortSignal.any([signal, this.over]));
  }

  async decide(approval: string, decision: Decision, drafts: readonly Draft[]): Promise<void> {
    const { key, store } = this.#options;
    await repeatedWrite(() => store.decide(key, approval, decision, drafts), PATIENCE_MS, this.#giveUp);
    await this.decisions.look();
  }

  /** One write after the other: of two at once, the log would take the repetition of the earlier one for something it has. */
  #inTurn(write: (stamp: WriterStamp) => Promise<void>): Promise<void> {
    const turn = this.#lastWrite.then(() => {
      const stamp = { writer: this.#writer, seq: ++this.#seq };
      return repeatedWrite(() => write(stamp), PATIENCE_MS, this.#giveUp);
    });
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  readonly #giveUp = () => {
    if (this.over.aborted) throw fenced();
  };

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
