// Times to the first token of one source: the latest 256 of the last 15 minutes, and what they say together.

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

export class FirstTokens {
  #samples: { at: number; seconds: number }[] = [];
  #figures: FirstTokenFigures | undefined;
  /** When the figures have to be made anew though no sample came, because one gets too old. */
  #until = 0;

  add(at: number, seconds: number): void {
    if (!(seconds >= 0 && seconds < 86_400)) return;
    this.#samples.push({ at, seconds });
    if (this.#samples.length > KEPT) this.#samples.shift();
    this.#until = 0;
  }

  /** In seconds, of the samples after `from` and up to `to`; NaN where there are none. */
  median(from: number, to: number): number {
    return quantile(sorted(this.#samples.filter(({ at }) => at > from && at <= to)), 0.5);
  }

  /** Undefined where there are no samples. */
  figures(now: number): FirstTokenFigures | undefined {
    if (now < this.#until) return this.#figures;
    this.#samples = this.#samples.filter(({ at }) => at > now - WINDOW_MS);
    const ages = this.#samples.flatMap(({ at }) => [at + WINDOW_MS, at + RECENT_MS]);
    this.#until = Math.min(...ages.filter((end) => end > now));
    const all = sorted(this.#samples);
    const recent = sorted(this.#samples.filter(({ at }) => at > now - RECENT_MS));
    const before = sorted(this.#samples.filter(({ at }) => at <= now - RECENT_MS));
    const canCompare = recent.length >= LEAST_RECENT && before.length >= LEAST_RECENT;
    this.#figures =
      all.length === 0
        ? undefined
        : {
            p50: quantile(all, 0.5),
            p95: quantile(all, 0.95),
            count: all.length,
            isRising: canCompare && quantile(recent, 0.5) >= 2 * quantile(before, 0.5),
          };
    return this.#figures;
  }
}

/** In an array of numbers alone, which is sorted many times faster than objects are. */
function sorted(samples: readonly { seconds: number }[]): Float64Array {
  return Float64Array.from(samples, ({ seconds }) => seconds).sort();
}

/** By nearest rank: the least value that at least this share of the values does not exceed. */
export function quantile(ascending: ArrayLike<number>, share: number): number {
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? Number.NaN;
}
