// What one source is known to do, from its entries. What it has not said is undefined, never 0.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI, METRICS } from '@llm-streamer/shared/gen-ai.ts';
import { Seconds } from '../pictures/seconds.ts';
import { amountOf } from '../stream/attribute.ts';
import type { EntryRow } from '../stream/row.ts';
import type { FirstTokenFigures } from './first-tokens.ts';
import { Generations, MAX_MODEL, SPARK_SECONDS } from './generations.ts';
import { type OpenCall, OpenCalls } from './open-calls.ts';

/** Errors are counted over this time. */
const ERROR_SECONDS = 300;
export const ERRORS_MS = ERROR_SECONDS * 1000;
const MAX_SPELLS = 8;
/** One bar of the sparkline stands for this many seconds. */
export const SPARK_BAR_SECONDS = 5;
/** Tokens per second are the mean of this many whole seconds. */
const RATE_SECONDS = 5;
/** A number of `server.metrics` holds until three more reports should have come, and at least this long. */
const METRICS_HOLD_MS = 10_000;
/** In attributes of entries, what a source belongs to; the first that is there counts. */
const GROUPS = ['host.name', 'service.name', 'service', 'container.name'];

export interface SourceFigures {
  source: string;
  group: string | undefined;
  model: string | undefined;
  running: number | undefined;
  queued: number | undefined;
  tokensPerSecond: number | undefined;
  /** Tokens per second, a number for each bar, oldest first; NaN where not known. */
  spark: readonly number[];
  firstToken: FirstTokenFigures | undefined;
  /** From 0 to 1. */
  kvCache: number | undefined;
  errors: number;
  errorsLastMinute: number;
  /** ms since the first known error of those that came with less than five minutes between them; NaN where there are none. */
  failingFor: number;
  /** The latest entry that is neither a report of numbers nor a piece of an answer. */
  last: EntryRow | undefined;
  /** ms since the latest entry of any kind. */
  age: number;
  /** Whether it is silent for much longer than its reports of numbers were apart. */
  isSilent: boolean;
  /** The longest time, in ms, that one of its generations has said nothing. */
  silences: { first: number; next: number };
  /** The call of a tool that has not returned for the longest time, in ms. */
  openCall: (OpenCall & { ms: number }) | undefined;
  /** Whether it has ever reported numbers, or generated. */
  isBackend: boolean;
  /** Which of the figures are numbers that it reports; the others are counted from its generations. */
  reported: { running: boolean; tokensPerSecond: boolean; firstToken: boolean };
}

export const NUMBER_NAMES = ['running', 'queued', 'tokens', 'kvCache'] as const;
export type NumberName = (typeof NUMBER_NAMES)[number];

/** When something was reported last, and the pause between two reports: an average that forgets, in ms; NaN before the second. */
interface Rhythm {
  at: number;
  apart: number;
}

export class Source {
  readonly name: string;
  lastAt: number;
  readonly #generations = new Generations();
  readonly #calls = new OpenCalls();
  readonly #errors = new Seconds(ERROR_SECONDS + 1);
  readonly #throughput = new Seconds(SPARK_SECONDS + 1);
  /** Errors with less than five minutes between them, the latest last: when the first and the last of them came, in ms. */
  #spells: { from: number; to: number }[] = [];
  #group: string | undefined;
  #model: string | undefined;
  #last: EntryRow | undefined;
  /** Each with a rhythm of its own: a source may report some of its numbers in one entry and others in the next. */
  readonly #numbers = new Map<NumberName, Rhythm & { value: number }>();
  /** Of reports of any number. */
  #reports: Rhythm | undefined;

  constructor(name: string, at: number) {
    this.name = name;
    this.lastAt = at;
  }

  /** Counts an entry; `at` is when the log got it, in ms. */
  count(row: EntryRow, at: number): void {
    this.lastAt = Math.max(this.lastAt, at);
    if (row.level >= 4) this.#countError(at);
    if (row.event === EVENTS.serverMetrics) {
      this.#countNumbers(row.attrs(), at);
      return;
    }
    if (row.generation !== undefined) this.#generations.count(row, row.generation, at);
    if (row.event === EVENTS.generationDelta) return;
    this.#calls.count(row, at);
    this.#last = row;
    // Most entries of a source that belongs to something say so; those that do not are not parsed for it.
    if (this.#group === undefined && GROUPS.some((name) => row.raw.includes(`"${name}"`)))
      this.#place(row.attrs());
  }

  addEarlierCalls(calls: OpenCalls, last: EntryRow): void {
    this.#calls.addEarlier(calls);
    this.#last ??= last;
  }

  /** Whether it has ever reported numbers, or generated. */
  get isBackend(): boolean {
    return this.#generations.isHeard || this.#reports !== undefined;
  }

  figures(now: number): SourceFigures {
    const second = Math.floor(now / 1000) - 1;
    const age = Math.max(0, now - this.lastAt);
    const running = this.#number('running', now);
    const tokens = this.#number('tokens', now);
    const counted = this.#generations.running(now);
    const rate = tokens ?? this.#generations.tokensPerSecond(second - RATE_SECONDS, second);
    const openCall = this.#calls.oldest;
    const isSilent = age > Math.max(METRICS_HOLD_MS, 5 * (this.#reports?.apart ?? Number.NaN));
    return {
      source: this.name,
      group: this.#group,
      model: this.#generations.model ?? this.#model,
      running: running ?? (isSilent ? undefined : counted),
      queued: this.#number('queued', now),
      tokensPerSecond: Number.isNaN(rate) || isSilent ? undefined : rate,
      spark: this.#spark(second, isSilent),
      firstToken: this.#generations.firstTokens.figures(now),
      kvCache: this.#number('kvCache', now),
      errors: this.#errors.sum(second + 1 - ERROR_SECONDS, second + 1),
      errorsLastMinute: this.#errors.sum(second - 59, second + 1),
      failingFor: now - (this.#spells.at(-1)?.from ?? Number.NaN),
      last: this.#last,
      age,
      isSilent,
      isBackend: this.isBackend,
      silences: this.#generations.silences(now),
      openCall: openCall && { ...openCall, ms: now - openCall.at },
      reported: {
        running: running !== undefined,
        tokensPerSecond: tokens !== undefined,
        firstToken: this.#generations.firstTokens.areSaid,
      },
    };
  }

  #number(name: NumberName, now: number): number | undefined {
    const number = this.#numbers.get(name);
    const holds = number && now - number.at <= Math.max(METRICS_HOLD_MS, 3 * (number.apart || 0));
    return holds ? number.value : undefined;
  }

  #spark(second: number, isSilent: boolean): number[] {
    const bars: number[] = [];
    for (let from = second - SPARK_SECONDS; from < second; from += SPARK_BAR_SECONDS) {
      // What a source does after it has gone silent is not known.
      if (isSilent && from * 1000 >= this.lastAt) {
        bars.push(Number.NaN);
        continue;
      }
      const reported = this.#throughput.mean(from, from + SPARK_BAR_SECONDS);
      bars.push(
        Number.isNaN(reported) ? this.#generations.tokensPerSecond(from, from + SPARK_BAR_SECONDS) : reported,
      );
    }
    return bars;
  }

  #countError(at: number): void {
    this.#errors.add(Math.floor(at / 1000), 1);
    // Entries that fill a gap come after those that are later, and may join what came before and after it.
    const isNear = ({ from, to }: { from: number; to: number }) =>
      at > from - ERRORS_MS && at < to + ERRORS_MS;
    const joined = this.#spells.filter(isNear);
    const from = Math.min(at, ...joined.map((spell) => spell.from));
    const to = Math.max(at, ...joined.map((spell) => spell.to));
    const spells = [...this.#spells.filter((spell) => !isNear(spell)), { from, to }];
    this.#spells = spells.sort((a, b) => a.to - b.to).slice(-MAX_SPELLS);
  }

  #countNumbers(attrs: Record<string, unknown>, at: number): void {
    const heard = numbersOf(attrs);
    const tokens = heard.find(([name]) => name === 'tokens')?.[1];
    for (const [name, value] of heard)
      if (value !== undefined) this.#numbers.set(name, { ...after(this.#numbers.get(name), at), value });
    if (tokens !== undefined) this.#throughput.set(Math.floor(at / 1000), tokens);
    this.#reports = after(this.#reports, at);
    const model = attrs[GEN_AI.requestModel];
    if (typeof model === 'string' && model !== '') this.#model = model.slice(0, MAX_MODEL);
    if (this.#group === undefined) this.#place(attrs);
  }

  #place(attrs: Record<string, unknown>): void {
    const value = GROUPS.map((name) => attrs[name]).find((each) => typeof each === 'string' && each !== '');
    if (typeof value === 'string' && value !== this.name) this.#group = value.slice(0, 80);
  }
}

/** The rhythm with one more report. */
function after(last: Rhythm | undefined, at: number): Rhythm {
  if (!last) return { at, apart: Number.NaN };
  const pause = at - last.at;
  if (pause <= 0) return last;
  return { at, apart: Number.isNaN(last.apart) ? pause : last.apart * 0.8 + pause * 0.2 };
}

/** What a report of numbers says of each; undefined where it does not say it. */
export function numbersOf(attrs: Record<string, unknown>): [NumberName, number | undefined][] {
  const number = (name: string) => amountOf(attrs[name]);
  return [
    ['running', number(METRICS.running)],
    ['queued', number(METRICS.waiting)],
    ['tokens', number(METRICS.generationThroughput)],
    ['kvCache', shareOf(attrs[METRICS.kvCacheUsage])],
  ];
}

/** A percentage is not taken for a share. */
function shareOf(value: unknown): number | undefined {
  const amount = amountOf(value);
  return amount !== undefined && amount <= 1 ? amount : undefined;
}
