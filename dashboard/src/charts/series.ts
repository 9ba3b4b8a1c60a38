// Counts the entries of the last 15 minutes by second: entries by level, tokens and times to the first token by model.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { amountOf, textOf } from '../stream/attribute.ts';
import { EndedGenerations } from '../stream/ended-generations.ts';
import type { EntryRow } from '../stream/row.ts';
import { sparkline } from './sparkline.ts';

export const WINDOW_SECONDS = 900;
/** Further models are counted as one, because the names come from entries, and there could be any number of them. */
const MAX_MODELS = 12;
/** With more that run, those that are known are forgotten. */
const MAX_RUNNING = 10_000;

export interface ModelSeries {
  tokens: Float64Array;
  /** By second, the latest time to the first token in ms; 0 where there was none. */
  ttft: Float64Array;
}

export class Series {
  /** Entries per second: trace and debug, info, warn, error and fatal. */
  readonly levels = [0, 1, 2, 3].map(() => new Uint32Array(WINDOW_SECONDS));
  readonly models = new Map<string, ModelSeries>();
  /** The newest second counted. */
  newest = Math.floor(Date.now() / 1000);
  /** The oldest second known: that of the first entry, or of the page's opening. */
  oldest = this.newest;
  /** Those that run, by key. */
  readonly #running = new Map<string, { model: string; hasDeltas: boolean }>();
  readonly #ended = new EndedGenerations();

  countEntry(row: EntryRow): void {
    const second = Math.floor(row.time / 1000);
    const now = Math.floor(Date.now() / 1000);
    // An entry of a clock that is far off would empty the window, or be counted in a wrong second.
    if (second <= this.newest - WINDOW_SECONDS || second > now + 5) return;
    this.advance(second);
    this.oldest = Math.min(this.oldest, second);
    const slot = second % WINDOW_SECONDS;
    const series = this.levels[row.level <= 1 ? 0 : row.level >= 4 ? 3 : row.level - 1];
    if (series) series[slot] = (series[slot] ?? 0) + 1;
    if (row.generation !== undefined) this.#generation(row, row.generation, slot);
  }

  /** Moves the window so that it ends with `second`. */
  advance(second: number): void {
    if (second <= this.newest) return;
    const from = Math.max(this.newest + 1, second - WINDOW_SECONDS + 1);
    for (let s = from; s <= second; s++) {
      const slot = s % WINDOW_SECONDS;
      for (const series of this.levels) series[slot] = 0;
      for (const model of this.models.values()) {
        model.tokens[slot] = 0;
        model.ttft[slot] = 0;
      }
    }
    this.newest = second;
  }

  /** Values of `length` seconds up to `end`, oldest first. */
  window(series: ArrayLike<number>, end: number, length = WINDOW_SECONDS): number[] {
    return Array.from({ length }, (_, i) => {
      const second = end - length + 1 + i;
      return second > this.newest || second <= this.newest - WINDOW_SECONDS
        ? 0
        : (series[second % WINDOW_SECONDS] ?? 0);
    });
  }

  /** Entries and errors of the last whole second, and a line of bars of the last `length`. */
  summary(length = 16): { entries: number; errors: number; spark: string } {
    const end = Math.floor(Date.now() / 1000) - 1;
    const sums = new Array<number>(length).fill(0);
    for (const series of this.levels) {
      for (const [i, value] of this.window(series, end, length).entries()) sums[i] = (sums[i] ?? 0) + value;
    }
    const errors = this.window(this.levels[3] ?? [], end, 1)[0] ?? 0;
    return { entries: sums[length - 1] ?? 0, errors, spark: sparkline(sums) };
  }

  #generation(row: EntryRow, key: string, slot: number): void {
    if (row.event === EVENTS.generationDelta) {
      const known = this.#running.get(key);
      const isLate = !known && this.#ended.isLate(key, row.time);
      const generation = known ?? (isLate ? undefined : this.#begin(key, 'unknown'));
      if (generation) generation.hasDeltas = true;
      const { tokens } = this.#model(generation?.model ?? 'unknown');
      tokens[slot] = (tokens[slot] ?? 0) + row.tokens;
      return;
    }
    const attrs = row.attrs();
    const named = textOf(attrs[GEN_AI.requestModel]) ?? textOf(attrs[GEN_AI.responseModel]);
    const model = named?.slice(0, 60) ?? 'unknown';
    if (row.event === EVENTS.generationStarted) this.#begin(key, model);
    else if (row.event === EVENTS.generationFinished || row.event === EVENTS.generationFailed)
      this.#end(row, key, attrs, this.#model(model), slot);
  }

  #begin(key: string, model: string) {
    if (this.#running.size >= MAX_RUNNING) this.#running.clear();
    this.#ended.begin(key);
    const generation = { model, hasDeltas: false };
    this.#running.set(key, generation);
    return generation;
  }

  #end(row: EntryRow, key: string, attrs: Record<string, unknown>, series: ModelSeries, slot: number): void {
    const generation = this.#running.get(key);
    if (!generation && this.#ended.isToldAgain(key, row.time, row.channel)) return;
    this.#running.delete(key);
    this.#ended.end(key, row.time, row.channel);
    const seconds = amountOf(attrs[GEN_AI.timeToFirstChunk]) ?? 0;
    if (seconds > 0) series.ttft[slot] = seconds * 1000;
    // What has sent no deltas has said its tokens only now: they are counted in this second.
    const tokens = amountOf(attrs[GEN_AI.outputTokens]) ?? 0;
    if (!generation?.hasDeltas && tokens > 0) series.tokens[slot] = (series.tokens[slot] ?? 0) + tokens;
  }

  #model(name: string): ModelSeries {
    const key = this.models.has(name) || this.models.size < MAX_MODELS ? name : 'others';
    const known = this.models.get(key);
    if (known) return known;
    const fresh = { tokens: new Float64Array(WINDOW_SECONDS), ttft: new Float64Array(WINDOW_SECONDS) };
    this.models.set(key, fresh);
    return fresh;
  }
}
