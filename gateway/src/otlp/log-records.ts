// A log record → an entry on `logs:<service>`.

import { guessLevel, parseLevel, parseOtelLevel } from '@llm-streamer/shared/decode/level.ts';
import type { EntryFields, Level } from '@llm-streamer/shared/entry.ts';
import { unified } from './aliases.ts';
import { CONTENT_BYTES, sizeOf, withoutContent } from './content.ts';
import { HARMLESS, isAgentEvent, isContentEvent, masked } from './private-keys.ts';
import { type MapOptions, type Mapped, merged } from './record.ts';
import type { Origin } from './resource.ts';
import {
  type Attributes,
  asId,
  asNumber,
  asRecord,
  asText,
  asTime,
  attributes,
  bounded,
  plain,
} from './values.ts';

const MAX_SUMMARY = 1_000;
const MAX_LABEL = 200;
const MAX_BODY = 1_048_576;
/** What holds one piece of work together, where there is no trace: Claude Code has a prompt, Codex a conversation. */
const RUNS = ['prompt.id', 'gen_ai.conversation.id', 'conversation.id', 'session.id'];

export function mapLogRecord(record: unknown, origin: Origin, { now, content }: MapOptions): Mapped {
  const fields = asRecord(record);
  const own = attributes(fields.attributes);
  const body = bodyValue(fields.body);
  const event = eventOf(fields, own, body);
  const time = asTime(fields.timeUnixNano) ?? asTime(fields.observedTimeUnixNano);
  const run =
    asId(fields.traceId, 16) ?? RUNS.map((key) => asText(own.get(key))).find((id) => id !== undefined);
  const said = bodyOf(body, event, content);
  const shown = withoutContent(own, content, { event });
  const attrs = isOfModels(event, own) ? unified(shown) : shown;
  attrs.delete('event.name');
  const exception = exceptionOf(attrs);
  const msg = said.msg ?? exception ?? event ?? summary(attrs);
  const entry: EntryFields = {
    time: time ?? now,
    channel: origin.logs,
    source: origin.source,
    level: levelOf(fields, msg, exception !== undefined),
    msg,
    ...(event !== undefined && { event }),
    ...(run !== undefined && { run: run.slice(0, MAX_LABEL) }),
    attrs: merged(origin.attrs, said.attrs, attrs, [['span_id', asId(fields.spanId, 8)]]),
  };
  return { entries: [entry], timed: time !== undefined };
}

/** A text may be as long as an entry; `draft` cuts it. */
function bodyValue(body: unknown): unknown {
  const { stringValue } = asRecord(body);
  return typeof stringValue === 'string' ? masked(bounded(stringValue, MAX_BODY)) : plain(body);
}

/** Elsewhere an attribute `model` may be that of a car. */
function isOfModels(event: string | undefined, own: Attributes): boolean {
  return isAgentEvent(event) || [...own.keys()].some((key) => /^(?:gen_ai|llm|ai)\./.test(key));
}

function eventOf(fields: Record<string, unknown>, own: Attributes, body: unknown): string | undefined {
  const named = asText(fields.eventName) ?? asText(own.get('event.name'));
  // Claude Code writes the name of the event as the body, and a shorter one as the attribute.
  if (typeof body === 'string' && /^[a-z]\w{0,40}(?:\.\w{1,40}){1,5}$/.test(body)) return body;
  return named?.slice(0, MAX_LABEL);
}

function bodyOf(
  body: unknown,
  event: string | undefined,
  content: boolean,
): { msg?: string; attrs: [string, unknown][] } {
  if (body === null || body === '') return { attrs: [] };
  if (event !== undefined && isContentEvent(event) && !content) {
    const object = asRecord(body);
    const harmless = HARMLESS.flatMap((key): [string, unknown][] =>
      Object.hasOwn(object, key) ? [[key, object[key]]] : [],
    );
    return { msg: event, attrs: [...harmless, [CONTENT_BYTES, sizeOf(body)]] };
  }
  if (typeof body !== 'object') return { msg: String(body), attrs: [] };
  if (Array.isArray(body))
    return { msg: bounded(JSON.stringify(body), MAX_SUMMARY), attrs: [['body', body]] };
  const shown = withoutContent(new Map(Object.entries(body)), content, { event });
  const key = ['message', 'msg', 'body'].find((name) => typeof shown.get(name) === 'string');
  const msg = key === undefined ? (event ?? summary(shown)) : String(shown.get(key));
  if (key !== undefined) shown.delete(key);
  return { msg, attrs: [...shown] };
}

/** `ValueError: no such key`, of an exception that was logged. */
function exceptionOf(attrs: Attributes): string | undefined {
  const type = asText(attrs.get('exception.type'));
  const message = asText(attrs.get('exception.message'));
  if (type === undefined && message === undefined) return undefined;
  return type === undefined || message === undefined ? (type ?? message) : `${type}: ${message}`;
}

function levelOf(fields: Record<string, unknown>, msg: string, isException: boolean): Level {
  const level =
    parseOtelLevel(asNumber(fields.severityNumber) ?? 0) ?? parseLevel(asText(fields.severityText));
  return level ?? (isException ? 'error' : guessLevel(msg));
}

function summary(attrs: Attributes): string {
  return attrs.size === 0 ? '' : bounded(JSON.stringify(Object.fromEntries(attrs)), MAX_SUMMARY);
}
