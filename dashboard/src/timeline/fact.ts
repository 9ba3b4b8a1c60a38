// What the picture of a run keeps of an entry. Every value comes from strangers: texts are cut, and a number that makes no sense
// counts as not said.
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { logTimeOf } from '../pictures/entry-feed.ts';
import type { EntryRow } from '../stream/row.ts';

const MAX_TEXT = 200;
const MAX_PLANNED = 64;
/** Times from 2015 to 2100 are believed, and lengths of up to three years: anything else comes from a clock that was never set. */
const MIN_TIME = Date.UTC(2015);
const MAX_TIME = Date.UTC(2100);
const DAY_MS = 86_400_000;
const MAX_SECONDS = 1e8;
const MAX_TOKENS = 1e9;

/** Texts are '' where the entry does not say them, numbers undefined. */
export interface Fact {
  row: EntryRow;
  event: string;
  /** By the writer's clock: a span is logged when it has ended, and often later. */
  time: number;
  lane: string;
  step: string;
  attempt: number;
  span: string;
  parent: string;
  name: string;
  model: string;
  tool: string;
  call: string;
  error: string;
  start: number | undefined;
  seconds: number | undefined;
  firstChunk: number | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  /** The lanes that the run's first entry announces. */
  planned: readonly string[];
}

export function readFact(row: EntryRow): Fact {
  const attrs = row.attrs();
  const ms = number(attrs.ms, MAX_SECONDS * 1000);
  return {
    row,
    event: row.event ?? '',
    time: timeOf(row),
    lane: text(attrs[ATTRS.lane]),
    step: text(attrs.step),
    attempt: Math.max(1, Math.floor(number(attrs.attempt, 1e6) ?? 1)),
    span: text(attrs.span_id),
    parent: text(attrs.parent_span_id),
    name: text(attrs.span) || text(attrs[GEN_AI.agent]),
    model: text(attrs[GEN_AI.responseModel]) || text(attrs[GEN_AI.requestModel]),
    tool: text(attrs[GEN_AI.tool]),
    call: text(attrs[GEN_AI.toolCallId]),
    error: text(attrs[GEN_AI.errorType]),
    start: startOf(attrs.start),
    seconds: number(attrs[ATTRS.duration], MAX_SECONDS) ?? (ms === undefined ? undefined : ms / 1000),
    firstChunk: number(attrs[GEN_AI.timeToFirstChunk], MAX_SECONDS),
    inputTokens: number(attrs[GEN_AI.inputTokens], MAX_TOKENS),
    outputTokens: number(attrs[GEN_AI.outputTokens], MAX_TOKENS),
    planned: planned(attrs.lanes),
  };
}

/**
 * One line with a clock far off would make the run decades long: it stands where the log got it. What is merely old is kept, since an
 * archive may be played back.
 */
function timeOf(row: EntryRow): number {
  const got = logTimeOf(row);
  const isOff = row.time < MIN_TIME || row.time > got + DAY_MS;
  return Math.max(0, Math.min(MAX_TIME, isOff && got >= 0 ? got : row.time));
}

function startOf(text: unknown): number | undefined {
  const start = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return start >= MIN_TIME && start <= MAX_TIME ? start : undefined;
}

/**
 * As the log has them: a writer tells things in their order, though it may stamp the last words of an answer after its end. What was
 * never stored stands by its time; positions are a clock in microseconds.
 */
export function byLog(a: Fact, b: Fact): number {
  return placeOf(a) - placeOf(b) || byTime(a, b);
}

export function byTime(a: Fact, b: Fact): number {
  return a.time - b.time || a.row.n - b.row.n || compare(a.row.raw, b.row.raw);
}

function placeOf({ row, time }: Fact): number {
  return row.n > 0 ? row.n : time * 1_000;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** When what has ended began, as far as its end says so. */
export function beginOf({ start, seconds, time }: Fact): number | undefined {
  if (start !== undefined) return Math.min(start, time);
  return seconds === undefined ? undefined : Math.max(0, time - seconds * 1000);
}

function planned(lanes: unknown): readonly string[] {
  if (!Array.isArray(lanes)) return [];
  return lanes
    .slice(0, MAX_PLANNED)
    .map((lane: unknown) => text((lane as { lane?: unknown } | null)?.lane))
    .filter((lane) => lane !== '');
}

function text(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : '';
}

function number(value: unknown, max: number): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= max ? value : undefined;
}
