// Times to the first token of one source: the latest 256 of the last 15 minutes, and what they say together. Figures cost as much as has
// changed since the last ones, since 500 sources are asked for theirs each second.
import { Ascending, quantile } from './ascending.ts';

const KEPT = 256;
const WINDOW_MS = 15 * 60_000;
/** What is compared with the rest: the last minute, if it has this many. */
const RECENT_MS = 60_000;
const LEAST_RECENT = 3;

export interface FirstTokenFigures {
  /** Seconds, by nearest rank. */
  p50: number;
  p95: number;
  count: number;
  /** The median of the last minute is at least twice that of the time before. */
  isRising: boolean;
}

interface Sample {
  at: number;
  seconds: number;
  /** Whether the source has said it; it is counted from its entries otherwise. */
  isSaid: boolean;
}

export class FirstTokens {
  /** In the order of their times. */
  readonly #samples: Sample[] = [];
  /** How many of them, from the first, are not of the last minute. */
  #olderCount = 0;
  /** How many of them the source has not said. */
  #countedCount = 0;
  readonly #all = new Ascending();
  readonly #recent = new Ascending();
  readonly #older = new Ascending();

  add(sample: Sample): void {
    const { at, seconds, isSaid } = sample;
    if (!(seconds >= 0 && seconds < 86_400)) return;
    // Entries that fill a gap come after those that are later.
    let place = this.#samples.length;
    while (place > 0 && (this.#samples[place - 1] as Sample).at > at) place--;
    if (this.#samples.length >= KEPT) {
      if (place === 0) return;
      this.#dropFirst();
      place--;
    }
    this.#samples.splice(place, 0, sample);
    this.#all.add(seconds);
    if (!isSaid) this.#countedCount++;
    if (place < this.#olderCount) {
      this.#older.add(seconds);
      this.#olderCount++;
    } else this.#recent.add(seconds);
  }

  /** In seconds, of the samples after `from` and up to `to`; NaN where there are none. */
  median(from: number, to: number): number {
    const found = this.#samples.filter(({ at }) => at > from && at <= to);
    return quantile(Float64Array.from(found, ({ seconds }) => seconds).sort(), 0.5);
  }

  /** Whether the source has said each of them: only then do filters on what it says find the entries of all. */
  get areSaid(): boolean {
    return this.#countedCount === 0;
  }

  /** Undefined where there are no samples. */
  figures(now: number): FirstTokenFigures | undefined {
    while ((this.#samples[0]?.at ?? now) <= now - WINDOW_MS) this.#dropFirst();
    for (;;) {
      const sample = this.#samples[this.#olderCount];
      if (!sample || sample.at > now - RECENT_MS) break;
      this.#recent.remove(sample.seconds);
      this.#older.add(sample.seconds);
      this.#olderCount++;
    }
    if (this.#samples.length === 0) return undefined;
    const canCompare = this.#recent.count >= LEAST_RECENT && this.#older.count >= LEAST_RECENT;
    return {
      p50: this.#all.quantile(0.5),
      p95: this.#all.quantile(0.95),
      count: this.#samples.length,
      isRising: canCompare && this.#recent.quantile(0.5) >= 2 * this.#older.quantile(0.5),
    };
  }

  #dropFirst(): void {
    const first = this.#samples.shift();
    if (!first) return;
    this.#all.remove(first.seconds);
    if (!first.isSaid) this.#countedCount--;
    if (this.#olderCount === 0) this.#recent.remove(first.seconds);
    else {
      this.#older.remove(first.seconds);
      this.#olderCount--;
    }
  }
}
