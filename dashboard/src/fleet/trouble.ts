// What is wrong with a source, judged by its figures: the worst of it as a rank, by which the rows are sorted, and all of it in words.

import { figure, plural, visible, wholeSeconds } from '../pictures/words.ts';
import type { FirstTokenFigures } from './first-tokens.ts';
import { ERRORS_MS, type SourceFigures } from './source.ts';

/** A running generation that said nothing for longer is stalled. */
export const STALLED_MS = 15_000;
/** A call of a tool that takes longer hangs, as far as anybody can see; most answer within seconds. */
export const HANGING_MS = 30_000;
/** In place of a column: what hangs is seen in the picture of its run. */
const HANGING = 'hanging';
/** A first token that takes this many times its usual is late, and never before `LEAST_WAIT_MS`. */
const LATE_TIMES = 3;
const LEAST_WAIT_MS = 3_000;
/** A time to the first token below this is not slow, whatever others have. */
const SLOW_SECONDS = 0.5;
/** When the first of several errors came is said where that is longer ago. */
const FIRST_SAID_MS = 60_000;
const FULL_CACHE = 0.95;
/** A source with fewer times to the first token is not compared with the others, and no others with it. */
export const LEAST_SAMPLES = 3;

export interface Trouble {
  /** 0: none. */
  rank: number;
  /** Worst first; empty where there is none. */
  words: string;
  /** Whether the time to the first token is out of its own range, or far above that of the others. */
  isSlow: boolean;
  /** Whether its KV cache is full. */
  isFull: boolean;
  /** Whether as many wait as run. */
  isQueued: boolean;
  /** The column whose lines show the worst of it; undefined where that is silence, or nothing. */
  column: string | undefined;
  /** If the worst is a tool that does not answer, the run that waits for it, as links name it. */
  waitingRun: string | undefined;
  /** How bad it is, as a class; empty where it is no more than old errors. */
  tone: 'bad' | 'warn' | '';
}

/** `fleetMedian` is the median of the fleet's times to the first token; NaN where too few sources say theirs. */
export function troubleOf(figures: SourceFigures, fleetMedian: number): Trouble {
  const { firstToken, silences, errors, errorsLastMinute, failingFor } = figures;
  const { queued = 0, kvCache = 0, age, openCall } = figures;
  const ownP95Ms = (firstToken?.p95 ?? 0) * 1000;
  const isSlow =
    firstToken !== undefined &&
    firstToken.p95 >= SLOW_SECONDS &&
    (firstToken.isRising ||
      (firstToken.count >= LEAST_SAMPLES && firstToken.p50 >= LATE_TIMES * fleetMedian));
  const isFull = kvCache >= FULL_CACHE;
  const isQueued = queued > 0 && queued >= (figures.running ?? 0);
  const hangs = openCall !== undefined && openCall.ms > HANGING_MS;
  const first = errors === 1 && failingFor <= ERRORS_MS ? '' : 'the first known ';
  const since = failingFor > FIRST_SAID_MS ? `, ${first}${wholeSeconds(failingFor)} ago` : '';
  const found: [rank: number, holds: boolean, say: () => string, column?: string][] = [
    [5, figures.isSilent, () => `silent for ${wholeSeconds(age)}`],
    [
      4,
      errorsLastMinute > 0,
      () => `${plural(errorsLastMinute, 'error')} in the last minute${since}`,
      'errors',
    ],
    [
      3,
      silences.next > STALLED_MS,
      () => `a generation is stalled for ${wholeSeconds(silences.next)}`,
      'running',
    ],
    [
      3,
      silences.first > Math.max(LEAST_WAIT_MS, LATE_TIMES * ownP95Ms),
      () => `a generation waits ${wholeSeconds(silences.first)} for its first token`,
      'running',
    ],
    [
      3,
      hangs,
      () => `${visible(openCall?.tool ?? '')} has not answered for ${wholeSeconds(openCall?.ms ?? 0)}`,
      HANGING,
    ],
    [3, isSlow, () => slowness(firstToken, fleetMedian), 'ttft'],
    [2, isFull, () => 'the KV cache is full', 'kv'],
    [2, isQueued, () => `${figure(queued)} wait in the queue`, 'queued'],
    [
      1,
      errorsLastMinute === 0 && errors > 0,
      () => `${plural(errors, 'error')} in five minutes${since}`,
      'errors',
    ],
  ];
  const holding = found.filter(([, holds]) => holds);
  // They stand in the order of their ranks.
  const [rank, , , column] = holding[0] ?? [0];
  return {
    rank,
    words: holding.map(([, , say]) => say()).join(', '),
    isSlow,
    isFull,
    isQueued,
    column: column === HANGING ? undefined : column,
    waitingRun: column === HANGING ? openCall?.runKey : undefined,
    tone: rank >= 4 ? 'bad' : rank >= 2 ? 'warn' : '',
  };
}

function slowness(firstToken: FirstTokenFigures | undefined, fleetMedian: number): string {
  const times = (firstToken?.p50 ?? 0) / fleetMedian;
  if (times >= LATE_TIMES) return `slow to the first token, ${figure(times)} times the median of all`;
  return 'slower to the first token than a minute ago';
}
