// What one source did in the last ten minutes, a number for each ten seconds, from its entries alone. What it has not said is NaN, never 0.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { Seconds } from '../pictures/seconds.ts';
import type { EntryRow } from '../stream/row.ts';
import { Generations } from './generations.ts';
import { NUMBER_NAMES, type NumberName, numbersOf } from './source.ts';

const BARS = 60;
/** One bar stands for this many seconds. */
export const HISTORY_BAR_SECONDS = 10;
export const HISTORY_SECONDS = BARS * HISTORY_BAR_SECONDS;

/** Numbers by bar, the oldest first. */
export type History = Record<NumberName | 'firstToken' | 'errors', number[]>;

export class SourceHistory {
  readonly #generations = new Generations(HISTORY_SECONDS);
  readonly #numbers = new Map<NumberName, Seconds>(
    NUMBER_NAMES.map((name) => [name, new Seconds(HISTORY_SECONDS + 1)]),
  );
  readonly #errors = new Seconds(HISTORY_SECONDS + 1);
  /** When its first entry came, in ms. Before it, it has had no errors that anybody knows of. */
  #since = Number.POSITIVE_INFINITY;

  /** Counts an entry of the source; `at` is when the log got it, in ms. */
  count(row: EntryRow, at: number): void {
    const second = Math.floor(at / 1000);
    this.#since = Math.min(this.#since, at);
    if (row.level >= 4) this.#errors.add(second, 1);
    if (row.event === EVENTS.serverMetrics) {
      for (const [name, value] of numbersOf(row.attrs()))
        if (value !== undefined) this.#numbers.get(name)?.set(second, value);
    } else if (row.generation !== undefined) this.#generations.count(row, row.generation, at);
  }

  /** Whether the source has said each of its latest times to the first token. */
  get saysFirstTokens(): boolean {
    return this.#generations.firstTokens.areSaid;
  }

  /** Up to the last whole second before `now`, in ms of the log's time. */
  until(now: number): History {
    const end = Math.floor(now / 1000) - 1;
    const bars = (read: (from: number, to: number) => number) =>
      Array.from({ length: BARS }, (_, i) => {
        const to = end - (BARS - 1 - i) * HISTORY_BAR_SECONDS;
        return read(to - HISTORY_BAR_SECONDS, to);
      });
    const mean = (name: NumberName) =>
      bars((from, to) => this.#numbers.get(name)?.mean(from, to) ?? Number.NaN);
    const reported = mean('tokens');
    return {
      running: mean('running'),
      queued: mean('queued'),
      kvCache: mean('kvCache'),
      tokens: bars((from, to) => this.#generations.tokensPerSecond(from, to)).map((counted, i) =>
        Number.isNaN(reported[i]) ? counted : (reported[i] as number),
      ),
      firstToken: bars((from, to) => this.#generations.firstTokens.median(from * 1000, to * 1000)),
      errors: bars((from, to) => (to * 1000 < this.#since ? Number.NaN : this.#errors.sum(from, to))),
    };
  }
}
