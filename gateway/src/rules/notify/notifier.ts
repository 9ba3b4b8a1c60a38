// Delivers the messages that wait for destinations, each destination by itself, so that one that is away delays no other. A message is
// removed only when it was taken; it is given up after an hour of attempts, or at once where the destination refuses it, and that is said.

import { setTimeout as pause } from 'node:timers/promises';
import type { RulesStore } from '../store/rules-store.ts';
import type { Destination, Outcome } from './destination.ts';
import { type DeliveredAlert, MAX_TOGETHER, parseMessage } from './messages.ts';

/** The pause before the first repetition; it is doubled each time, up to the longest. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const GIVE_UP_MS = 3_600_000;
/** Between two messages: what comes meanwhile goes into the next one. */
const BETWEEN_MS = 1_000;

export interface NotifierOptions {
  store: Pick<RulesStore, 'waiting' | 'delivered'>;
  holder: string;
  destinations: () => ReadonlyMap<string, Pick<Destination, 'send'>>;
  report: (msg: string) => void;
  /** The first pause before a repetition, in milliseconds. */
  firstPauseMs?: number;
}

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #serving = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  #isLeading = false;
  readonly figures = { sent: 0, failed: 0 };

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  /** Only the gateway that applies the rules delivers. */
  set isLeading(isLeading: boolean) {
    this.#isLeading = isLeading;
  }

  /** Looks for messages that wait. */
  wake(): void {
    if (!this.#isLeading) return;
    for (const name of this.#options.destinations().keys()) {
      if (this.#serving.has(name)) continue;
      // What fails here is the log, or the lease is lost: whoever applies the rules then looks again.
      const serving = this.#serve(name)
        .catch(() => undefined)
        .finally(() => this.#serving.delete(name));
      this.#serving.set(name, serving);
    }
  }

  async close(): Promise<void> {
    this.#isLeading = false;
    this.#closing.abort();
    await Promise.all(this.#serving.values());
  }

  async #serve(name: string): Promise<void> {
    const { store, holder, report, firstPauseMs = FIRST_PAUSE_MS } = this.#options;
    let pauseMs = firstPauseMs;
    let isAway = false;
    while (this.#isLeading) {
      const texts = await store.waiting(name, MAX_TOGETHER);
      const destination = this.#options.destinations().get(name);
      if (texts.length === 0 || destination === undefined) return;
      const messages = texts.map(parseMessage);
      const alerts = messages.filter((one) => one !== undefined);
      const outcome: Outcome = alerts.length === 0 ? { delivered: true } : await destination.send(alerts);
      if (!this.#isLeading) return;
      const isLater = !outcome.delivered && outcome.retry;
      const done = isLater ? countOld(messages) : messages.length;
      const ended = messages.slice(0, done).filter((one) => one !== undefined).length;
      if (done > 0) await store.delivered(holder, name, done);
      if (outcome.delivered) this.figures.sent += ended;
      else if (ended > 0) {
        this.figures.failed += ended;
        report(`${ended} alerts for ${name} were given up: ${outcome.problem}`);
      }
      if (isLater && done < messages.length) {
        if (!isAway) report(`alerts cannot be delivered to ${name}: ${outcome.problem}; they are sent again`);
        isAway = true;
        await this.#pause(outcome.afterMs ?? pauseMs * (0.75 + Math.random() / 2));
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
        continue;
      }
      pauseMs = firstPauseMs;
      isAway = false;
      await this.#pause(Math.min(BETWEEN_MS, firstPauseMs));
    }
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#closing.signal });
  }
}

/** How many of the messages, which are in order, are too old to be sent again. What nobody can read goes with those before it. */
function countOld(messages: readonly (DeliveredAlert | undefined)[]): number {
  const newer = messages.findIndex((one) => one !== undefined && !isTooOld(one));
  return newer < 0 ? messages.length : newer;
}

function isTooOld({ time }: DeliveredAlert): boolean {
  return Date.now() - time > GIVE_UP_MS;
}
