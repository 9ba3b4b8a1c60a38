// A piece of a run's work, as the picture shows it: one row of the tree.
import type { EntryRow } from '../stream/row.ts';

/** What has not begun stands last. */
const LATER = Number.MAX_VALUE;

/**
 * The time of a part: in the queue, to the first token, streaming; of a generation in which these are not told apart; in a tool,
 * waiting for somebody's approval; other work.
 */
export const PART_KINDS = ['queue', 'first', 'stream', 'generation', 'tool', 'approval', 'work'] as const;
export type PartKind = (typeof PART_KINDS)[number];

export interface Part {
  kind: PartKind;
  from: number;
  to: number;
}

export type SpanKind = 'run' | 'lane' | 'generation' | 'tool' | 'agent' | 'step' | 'span' | 'unknown';

/** `stopped`: somebody has ended it, which is no failure. */
export type SpanState = 'waiting' | 'running' | 'finished' | 'failed' | 'stopped' | 'unknown';

export interface Span {
  /** The same for the same piece of work, whatever else is known. */
  key: string;
  kind: SpanKind;
  name: string;
  state: SpanState;
  parts: readonly Part[];
  error: string;
  model: string;
  attempt: number;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  isEstimated: boolean;
  /** Its entries in the order of time. */
  rows: readonly EntryRow[];
  /** Lines of level warn and above that are about it, in the order of time. */
  warnings: EntryRow[];
  children: Span[];
  /** From its own beginning, or that of the first within it, to the last end; undefined where no time is known. */
  from: number | undefined;
  to: number | undefined;
  /** The position in the log of the first entry within it, which decides between what began in the same millisecond. */
  first: number;
}

export function newSpan(fields: Pick<Span, 'key' | 'kind' | 'name'> & Partial<Span>): Span {
  return {
    state: 'unknown',
    parts: [],
    error: '',
    model: '',
    attempt: 1,
    inputTokens: undefined,
    outputTokens: undefined,
    isEstimated: false,
    rows: [],
    warnings: [],
    children: [],
    from: undefined,
    to: undefined,
    first: LATER,
    ...fields,
  };
}

/** A span and all within it, each before its children. */
export function* spansIn(root: Span): Generator<Span> {
  const waiting = [root];
  for (let span = waiting.pop(); span; span = waiting.pop()) {
    yield span;
    for (let i = span.children.length - 1; i >= 0; i--) {
      const child = span.children[i];
      if (child) waiting.push(child);
    }
  }
}

/** Sets from when to when each span is, with all within it, and brings those into the order of time. */
export function settle(root: Span): void {
  for (const span of [...spansIn(root)].reverse()) {
    span.children.sort(
      (a, b) => (a.from ?? LATER) - (b.from ?? LATER) || a.first - b.first || (a.key < b.key ? -1 : 1),
    );
    for (const { n } of span.rows) span.first = Math.min(span.first, n);
    for (const { first } of span.children) span.first = Math.min(span.first, first);
    for (const { from, to } of [...span.parts, ...span.children]) {
      if (from !== undefined) span.from = Math.min(span.from ?? from, from);
      if (to !== undefined) span.to = Math.max(span.to ?? to, to);
    }
  }
}
