// A span → entries on `traces:<service>`: one when it ends, named for what it was, and one for each of its events. A pending span, which
// Logfire's processors send at the start, becomes the same with `started`. What another program did never begins or ends a run of the
// gateway: only the words are the same.

import type { EntryFields, Level } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI, GEN_AI_SCHEMA } from '@llm-streamer/shared/gen-ai.ts';
import { unified } from './aliases.ts';
import { withoutContent } from './content.ts';
import { type MapOptions, type Mapped, merged } from './record.ts';
import type { Origin } from './resource.ts';
import { type Classified, classify, type SpanClass } from './span-class.ts';
import { type Attributes, asId, asList, asNumber, asRecord, asText, asTime, attributes } from './values.ts';

const ERROR = 2;
const MAX_EVENTS = 128;
/** How many events are missing. */
const CUT = 'cut_events';
const MAX_NAME = 200;
const KINDS = [undefined, 'internal', 'server', 'client', 'producer', 'consumer'];
/** Logfire's. In Python the name of a pending span has a suffix. */
const PENDING = { type: 'logfire.span_type', value: 'pending_span', parent: 'logfire.pending_parent_id' };
const PENDING_SUFFIX = / \(pending\)$/;
const FIRST_CHUNK_AT = 'langfuse.observation.completion_start_time';

const FINISHED: Readonly<Record<SpanClass, string>> = {
  model: EVENTS.generationFinished,
  tool: EVENTS.toolReturned,
  agent: EVENTS.agentFinished,
  workflow: EVENTS.workflowFinished,
  retrieval: EVENTS.spanFinished,
  other: EVENTS.spanFinished,
};

/** What is read of a span before anything is made of it. */
export interface Span {
  trace: string | undefined;
  id: string | undefined;
  parent: string | undefined;
  name: string;
  start: number | undefined;
  end: number | undefined;
  pending: boolean;
  classified: Classified;
  failed: boolean;
  attrs: Attributes;
  fields: Record<string, unknown>;
}

export function readSpan(record: unknown): Span {
  const fields = asRecord(record);
  const attrs = attributes(fields.attributes);
  const pending = attrs.get(PENDING.type) === PENDING.value;
  const name = (asText(fields.name) ?? 'span').slice(0, MAX_NAME);
  const parent = asId(fields.parentSpanId, 8);
  const start = asTime(fields.startTimeUnixNano);
  return {
    trace: asId(fields.traceId, 16),
    // A pending span is the child of the span that it stands for.
    id: pending ? parent : asId(fields.spanId, 8),
    parent: pending ? asId(attrs.get(PENDING.parent), 8) : parent,
    name: pending ? name.replace(PENDING_SUFFIX, '') : name,
    start,
    end: asTime(fields.endTimeUnixNano),
    pending,
    classified: classify(attrs, name),
    failed: asNumber(asRecord(fields.status).code) === ERROR,
    attrs,
    fields,
  };
}

/** Whether people want to see that the trace of this span is running. */
export function isGenAi({ classified }: Span): boolean {
  return classified.is !== 'other' || classified.operation !== undefined;
}

/** @param known whether the trace was announced as running: it has model calls, tools or agents in it. */
export function mapSpan(span: Span, origin: Origin, options: MapOptions, known: boolean): Mapped {
  const base = {
    channel: origin.traces,
    source: origin.source,
    ...(span.trace !== undefined && { run: span.trace }),
  };
  const entry = span.pending
    ? started(span, base, origin, options)
    : finished(span, base, origin, options, known);
  const events = span.pending ? [] : asList(span.fields.events).slice(0, MAX_EVENTS);
  const entries = [...events.map((one) => spanEvent(one, span, base, entry.time, options)), entry];
  if (known && isEnd(span) && span.classified.is !== 'other') entries.push(traceEnded(entry, span, origin));
  return { entries, timed: span.end !== undefined };
}

/** Whether the span is the root of its trace, and has ended. */
function isEnd({ parent, pending }: Span): boolean {
  return parent === undefined && !pending;
}

/** Of a root that has a name of its own, such as `agent.finished`: the end of what was announced as running. */
function traceEnded(
  { time, source, level, msg, run, attrs = {} }: EntryFields,
  { failed }: Span,
  origin: Origin,
): EntryFields {
  return {
    time,
    channel: origin.traces,
    source,
    level,
    msg: `trace ended: ${msg}`,
    event: failed ? EVENTS.runFailed : EVENTS.runFinished,
    ...(run !== undefined && { run }),
    attrs: merged(
      origin.attrs,
      ['start', ATTRS.duration, GEN_AI.errorType].map((name) => [name, attrs[name]] as const),
    ),
  };
}

/** The entry that says that a trace is running. */
export function traceStarted({ trace, start, name }: Span, origin: Origin, now: number): EntryFields {
  return {
    time: start ?? now,
    channel: origin.traces,
    source: origin.source,
    level: 'info',
    msg: `trace is running: ${name}`,
    event: EVENTS.runStarted,
    ...(trace !== undefined && { run: trace }),
    attrs: merged(origin.attrs, [['service', origin.service]]),
  };
}

type Base = Pick<EntryFields, 'channel' | 'source' | 'run'>;

function started(span: Span, base: Base, origin: Origin, { now, content }: MapOptions): EntryFields {
  const isModel = span.classified.is === 'model';
  return {
    time: span.start ?? now,
    ...base,
    level: isGenAi(span) ? 'info' : 'debug',
    msg: `${span.name} started`,
    event: isModel ? EVENTS.generationStarted : EVENTS.spanStarted,
    attrs: merged(origin.attrs, attrsOf(span, content), placeOf(span)),
  };
}

function finished(
  span: Span,
  base: Base,
  origin: Origin,
  { now, content }: MapOptions,
  known: boolean,
): EntryFields {
  const { classified, failed, name, start, end } = span;
  const attrs = attrsOf(span, content);
  const seconds = start === undefined || end === undefined ? undefined : Math.max(0, end - start) / 1_000;
  const error = failed ? errorOf(span, attrs) : undefined;
  if (error !== undefined) attrs.set(GEN_AI.errorType, error.type);
  const isRoot = isEnd(span) && classified.is === 'other';
  const cut = asList(span.fields.events).length - MAX_EVENTS;
  return {
    time: end ?? now,
    ...base,
    level: levelOf(failed, isGenAi(span) || (isRoot && known)),
    msg: messageOf(classified, name, attrs, seconds, error?.text),
    event: eventOf(classified.is, isRoot, failed),
    attrs: merged(origin.attrs, attrs, placeOf(span), [
      ['start', start === undefined ? undefined : new Date(start).toISOString()],
      [ATTRS.duration, seconds],
      ['status', ['unset', 'ok', 'error'][asNumber(asRecord(span.fields.status).code) ?? 0]],
      [CUT, cut > 0 ? cut : undefined],
    ]),
  };
}

function levelOf(failed: boolean, matters: boolean): Level {
  return failed ? 'error' : matters ? 'info' : 'debug'; // a filter by level hides the flood of http and database spans
}

function eventOf(is: SpanClass, isRoot: boolean, failed: boolean): string {
  if (is === 'model' && failed) return EVENTS.generationFailed;
  if (isRoot) return failed ? EVENTS.runFailed : EVENTS.runFinished;
  return FINISHED[is];
}

/** The attributes of a span by today's names, without content. */
function attrsOf(span: Span, content: boolean): Attributes {
  const { attrs, classified } = span;
  const shown = withoutContent(attrs, content, { isGenAiSpan: isGenAi(span) });
  const own = isGenAi(span) ? unified(shown) : new Map(shown);
  own.delete(PENDING.type);
  own.delete(PENDING.parent);
  const { is, operation } = classified;
  if (operation !== undefined) own.set(GEN_AI.operation, operation).set(ATTRS.schema, GEN_AI_SCHEMA);
  if (is === 'model') return withFirstChunk(own, span.start);
  // The sum of the calls inside: under the names of a call they would be counted twice.
  for (const [name, sum] of [
    [GEN_AI.inputTokens, 'input_tokens'],
    [GEN_AI.outputTokens, 'output_tokens'],
    [GEN_AI.cacheReadTokens, 'cache_read_tokens'],
    [GEN_AI.cacheWriteTokens, 'cache_write_tokens'],
    [GEN_AI.reasoningTokens, 'reasoning_tokens'],
  ] as const) {
    const value = own.get(name);
    own.delete(name);
    if (value !== undefined) own.set(sum, value);
  }
  return own;
}

/** Langfuse says when the first piece came, as a date in JSON, where the conventions say after how many seconds. */
function withFirstChunk(attrs: Attributes, start: number | undefined): Attributes {
  const said = asText(attrs.get(FIRST_CHUNK_AT));
  const at = Date.parse(said?.replaceAll('"', '') ?? '');
  if (start === undefined || !(at >= start)) return attrs;
  attrs.delete(FIRST_CHUNK_AT);
  if (!attrs.has(GEN_AI.timeToFirstChunk)) attrs.set(GEN_AI.timeToFirstChunk, (at - start) / 1_000);
  return attrs;
}

function placeOf({ id, parent, name, fields, classified }: Span): [string, unknown][] {
  return [
    [classified.is === 'model' ? ATTRS.lane : 'span', name],
    ['span_id', id],
    ['parent_span_id', parent],
    ['kind', KINDS[asNumber(fields.kind) ?? 0]],
  ];
}

function messageOf(
  { is, operation }: Classified,
  name: string,
  attrs: Attributes,
  seconds: number | undefined,
  error: string | undefined,
): string {
  const model = asText(attrs.get(GEN_AI.responseModel)) ?? asText(attrs.get(GEN_AI.requestModel));
  const what = is === 'model' && model !== undefined ? `${operation} ${model}` : name;
  const time = seconds === undefined ? '' : ` in ${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  if (error !== undefined) return `${what} failed${time}: ${error}`;
  const [input, output] = [attrs.get(GEN_AI.inputTokens), attrs.get(GEN_AI.outputTokens)];
  if (is !== 'model' || (input === undefined && output === undefined)) return `${what}${time}`;
  return `${what}: ${input ?? '?'} → ${output ?? '?'} tokens${time}`;
}

/** The type of an error by its attribute, by the exception among the span's events, or `_OTHER`, as the conventions say. */
function errorOf({ fields }: Span, attrs: Attributes): { type: string; text: string } {
  const thrown = asList(fields.events)
    .slice(0, MAX_EVENTS)
    .filter((one) => asRecord(one).name === 'exception')
    .map((one) => attributes(asRecord(one).attributes))[0];
  const type = asText(attrs.get(GEN_AI.errorType)) ?? asText(thrown?.get('exception.type')) ?? '_OTHER';
  const said = asText(asRecord(fields.status).message) ?? asText(thrown?.get('exception.message'));
  return { type: type.slice(0, MAX_NAME), text: (said ?? type).slice(0, 1_000) };
}

function spanEvent(
  event: unknown,
  { id, name: spanName }: Span,
  base: Base,
  otherwise: number,
  { content }: MapOptions,
): EntryFields {
  const fields = asRecord(event);
  const name = (asText(fields.name) ?? 'event').slice(0, MAX_NAME);
  const attrs = withoutContent(attributes(fields.attributes), content, { event: name });
  const isException = name === 'exception';
  const said = [asText(attrs.get('exception.type')), asText(attrs.get('exception.message'))];
  return {
    time: asTime(fields.timeUnixNano) ?? otherwise,
    ...base,
    level: isException ? 'error' : 'debug',
    msg: isException ? said.filter(Boolean).join(': ') || name : `${spanName}: ${name}`,
    event: name,
    attrs: merged(attrs, [['span_id', id]]),
  };
}
