// What the picture says in words: beside a bar, to a screen reader, and about a whole run.

import { LEVEL_TEXT } from '../log/row-node.ts';
import { clockOf, duration } from '../log/time.ts';
import { plural, visible } from '../pictures/words.ts';
import type { EntryRow } from '../stream/row.ts';
import { type Cost, costText } from './cost.ts';
import type { Picture } from './model.ts';
import type { Part, PartKind, Span } from './span.ts';

/** Waiting is worth a word if it is so long, and so much of the whole. */
const LONG_MS = 1_000;
const LONG_SHARE = 0.4;

export const PART_WORDS: Readonly<Record<PartKind, string>> = {
  queue: 'in queue',
  first: 'to first token',
  stream: 'streaming',
  generation: 'not told apart',
  tool: 'tool',
  approval: 'waiting for approval',
  work: 'other work',
};

/** An entry on one line; `after` is its time after the run's beginning. */
export function entryText({ level, source, event, msg }: EntryRow, after: number): string {
  const time = `${after < 0 ? '−' : '+'}${duration(Math.abs(after))}`;
  return [time, LEVEL_TEXT[level], visible(source, 40), visible(event ?? '', 60), visible(msg, 600)].join(
    ' ',
  );
}

/** The figures beside the bar. */
export function figureOf(span: Span): string {
  const { state, kind, error, parts, children, isEstimated, outputTokens, warnings } = span;
  const words: string[] = [];
  if (state === 'waiting') words.push('not begun');
  if (state === 'stopped') words.push('■ stopped');
  if (span.from !== undefined && span.to !== undefined && span.to > span.from)
    words.push(`${duration(lengthOf(parts) || span.to - span.from)}${state === 'running' ? ' so far' : ''}`);
  const stream = parts.findLast((part) => part.kind === 'stream');
  if (stream && outputTokens !== undefined && stream.to - stream.from >= 100)
    words.push(`${Math.round((outputTokens / (stream.to - stream.from)) * 1000)}/s`);
  else if (outputTokens !== undefined) words.push(`${isEstimated ? '~' : ''}${outputTokens} tok`);
  words.push(...longWaits(span));
  if (state === 'failed' && error !== '') words.push(`✕ ${visible(error, 60)}`);
  if (state === 'unknown' && kind !== 'unknown' && children.length === 0) words.push('no end logged');
  if (warnings.length > 0) words.push(`▼${warnings.length}`);
  return words.join(' ');
}

/** What a generation has mostly waited for. */
function longWaits({ kind, parts }: Span): string[] {
  const least = Math.max(LONG_MS, lengthOf(parts) * LONG_SHARE);
  const long = parts.filter((part) => kind === 'generation' && part.to - part.from >= least);
  return long.flatMap((part) =>
    part.kind === 'queue' || part.kind === 'first' ? [`← ${part.kind} ${duration(part.to - part.from)}`] : [],
  );
}

/** How long a span worked, waiting included. */
function lengthOf(parts: readonly Part[]): number {
  const [first] = parts;
  return first ? Math.max(...parts.map(({ to }) => to)) - first.from : 0;
}

/** What a screen reader says of a row after its name. */
export function wordsOf(span: Span, from: number, isCritical: boolean): string {
  const { name, kind, model, state, parts, outputTokens, inputTokens, error, warnings, attempt } = span;
  const about = kind === 'unknown' ? 'a span that has not been logged yet' : kind;
  const words = [about];
  if (model !== '' && model !== name) words.push(visible(model, 80));
  if (attempt > 1) words.push(`attempt ${attempt}`);
  words.push(state === 'waiting' ? 'not begun' : state === 'unknown' ? 'no end logged' : state);
  if (span.from !== undefined && kind !== 'run') words.push(`begins after ${duration(span.from - from)}`);
  if (span.from !== undefined && span.to !== undefined) words.push(`takes ${duration(span.to - span.from)}`);
  for (const part of kind === 'lane' ? [] : parts)
    if (part.to > part.from && part.kind !== 'work')
      words.push(`${duration(part.to - part.from)} ${PART_WORDS[part.kind]}`);
  if (inputTokens !== undefined) words.push(`${inputTokens} tokens in`);
  if (outputTokens !== undefined) words.push(`${outputTokens} tokens out`);
  if (error !== '') words.push(`error ${visible(error, 80)}`);
  if (warnings.length > 0) words.push(plural(warnings.length, 'warning'));
  if (isCritical) words.push('on the critical path');
  return words.join(', ');
}

/** One line about the whole run. */
export function summaryOf({ root, ending, critical, totals }: Picture, cost?: Cost): string {
  const { lanes, spans, inputTokens, outputTokens, isEstimated, errors, retries, byKind } = totals;
  // Of a single request nobody says that a run has begun or ended.
  const state = { running: 'running', unknown: 'no end logged' }[root.state as string];
  const words = [ending || state].filter((word) => word !== undefined);
  if (root.from !== undefined) words.push(`from ${clockOf(root.from)}`);
  if (root.from !== undefined && root.to !== undefined) words.push(duration(root.to - root.from));
  words.push(lanes > 0 ? plural(lanes, 'lane') : plural(spans, 'span'));
  if (inputTokens !== undefined || outputTokens !== undefined)
    words.push(`${count(inputTokens)} + ${isEstimated ? '~' : ''}${count(outputTokens)} tokens`);
  if (cost) words.push(costText(cost));
  if (errors > 0) words.push(plural(errors, 'error'));
  if (retries > 0) words.push(`repeated ${plural(retries, 'time')}`);
  const path = critical.reduce((sum, part) => sum + part.to - part.from, 0);
  if (path > 0) words.push(`critical path ${duration(path)}`);
  const kinds = (Object.entries(byKind) as [PartKind, number][]).filter(
    ([kind, ms]) => ms > 0 && kind !== 'work',
  );
  if (kinds.length > 0)
    words.push(kinds.map(([kind, ms]) => `${PART_WORDS[kind]} ${duration(ms)}`).join(', '));
  return words.join(' · ');
}

function count(n: number | undefined): string {
  return n === undefined ? '?' : n.toLocaleString('en');
}
