// What is wrong with a source, judged by its figures: the worst of it as a rank, by which the rows are sorted, and all of it in words.
import { duration } from '../log/time.ts';
import type { SourceFigures } from './source.ts';

/** A running generation that said nothing for longer is stalled. */
const STALLED_MS = 15_000;
/** A first token that takes this many times its usual is late, and never before `LATE_MS`. */
const LATE_TIMES = 3;
const LATE_MS = 3_000;
/** A time to the first token below this is not slow, whatever others have. */
const SLOW_SECONDS = 0.5;
const FULL_CACHE = 0.95;

export interface Trouble {
  /** 0: none. */
  rank: number;
  /** Worst first; empty where there is none. */
  words: string;
  /** Whether the time to the first token is out of its own range, or far above that of the others. */
  isSlow: boolean;
}

/** `usual` is the median of the fleet's times to the first token; NaN where too few sources say theirs. */
export function troubleOf(figures: SourceFigures, usual: number): Trouble {
  const { firstToken, silences, errors, errorsLastMinute, queued, kvCache, age } = figures;
  const usualMs = (firstToken?.p95 ?? 0) * 1000;
  const isSlow =
    firstToken !== undefined &&
    firstToken.p95 >= SLOW_SECONDS &&
    (firstToken.isRising || (firstToken.count >= LATE_TIMES && firstToken.p50 >= LATE_TIMES * usual));
  const found: [number, boolean, () => string][] = [
    [5, figures.isSilent, () => `silent for ${wholeSeconds(age)}`],
    [4, errorsLastMinute > 0, () => `${plural(errorsLastMinute, 'error')} in the last minute`],
    [3, silences.next > STALLED_MS, () => `a generation is stalled for ${wholeSeconds(silences.next)}`],
    [
      3,
      silences.first > Math.max(LATE_MS, LATE_TIMES * usualMs),
      () => `a generation waits ${wholeSeconds(silences.first)} for its first token`,
    ],
    [3, isSlow, () => 'slow to the first token'],
    [2, (kvCache ?? 0) >= FULL_CACHE, () => 'the KV cache is full'],
    [2, (queued ?? 0) > 0 && (queued ?? 0) >= (figures.running ?? 0), () => `${queued} wait in the queue`],
    [1, errorsLastMinute === 0 && errors > 0, () => `${plural(errors, 'error')} in five minutes`],
  ];
  const holding = found.filter(([, holds]) => holds);
  return {
    rank: Math.max(0, ...holding.map(([rank]) => rank)),
    words: holding.map(([, , say]) => say()).join(', '),
    isSlow,
  };
}

function wholeSeconds(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : duration(ms);
}

function plural(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`;
}
