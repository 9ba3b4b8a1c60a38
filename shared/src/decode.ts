// Any payload → the fields of an entry, or a draft of it. Lenient for what arrives on a channel: nothing a producer sends
// can make it throw. Strict for what a client posts: a wrong type is an error that names the field.

import {
  cutMark,
  type Draft,
  draft,
  type EntryFields,
  isLabel,
  LEVELS,
  type Level,
  utf8Bytes,
} from './entry.ts';
import { CodedError } from './errors.ts';
import { holdsMoreThan, MAX_ENTRY_VALUES } from './json-values.ts';
import { guessLevel, parseLevel } from './level.ts';
import { asWritten } from './written.ts';

export interface DecodeContext {
  /** Where it arrived; an object's own `channel` is used only in strict mode, where the caller has checked none. */
  channel: string;
  /** Epoch ms for entries that carry no time. */
  now: number;
  /** Label for entries that name no source. */
  source: string;
  /** Of entries that name no level; `info` by default. */
  level?: Level;
}

/** A longer payload is a text of which only this much is looked at. */
const MAX_BYTES = 1_048_576;
/** Deeper attributes are cut: they would overflow the stack of whoever reads them with a recursive parser. */
const MAX_DEPTH = 32;

/** Decodes one message of any kind: entry JSON, a pino line, any JSON object, an `event_type` event, plain text, junk. */
export function decodePayload(payload: Uint8Array | string, context: DecodeContext): EntryFields {
  return decode(textOf(payload), context);
}

/** The same, ready for the log; `maxBytes`: beyond it an entry is cut. */
export function draftPayload(payload: Uint8Array, context: DecodeContext, maxBytes: number): Draft {
  const text = textOf(payload);
  const written = asWritten(text, maxBytes);
  return written?.channel === context.channel ? written : draft(decode(text, context), maxBytes);
}

function textOf(payload: Uint8Array | string): string {
  if (payload.length > MAX_BYTES) return beginning(payload);
  return typeof payload === 'string' ? payload : utf8.decode(payload);
}

function decode(text: string, context: DecodeContext): EntryFields {
  const object = text.trimStart().startsWith('{') ? parseObject(text) : undefined;
  return object ? decodeObject(object, context, 'lenient') : decodeText(text, context);
}

/**
 * Decodes a JSON object. Known keys (and the aliases that pino, OpenTelemetry and Python's logging use) become the
 * entry's fields, the rest goes into `attrs`; `id`, `log` and `prev` are the log's to give and are dropped.
 * @throws CodedError `invalid_entry` in strict mode, for a known key of a wrong type.
 */
export function decodeObject(
  object: Record<string, unknown>,
  context: DecodeContext,
  mode: 'strict' | 'lenient',
): EntryFields {
  const { id: _id, log: _log, prev: _prev, channel: _channel, ...rest } = object;

  const take = <T>(keys: readonly string[], parse: (value: unknown) => T | undefined, allowed: string) => {
    for (const key of keys) {
      const value = rest[key];
      if (value === null && key === keys[0]) delete rest[key]; // how many clients write "absent"
      if (value === undefined || value === null) continue;
      const parsed = parse(value);
      if (parsed !== undefined) {
        delete rest[key];
        return parsed;
      }
      // Only the first key is the entry's own; an alias of another type is simply somebody's attribute.
      if (mode === 'strict' && key === keys[0])
        throw new CodedError('invalid_entry', `${key} must be ${allowed}`, { field: key });
    }
    return undefined;
  };

  const level = take(['level', 'severity', 'levelname'], parseLevel, `one of ${LEVELS.join(', ')}`);
  const time = take(['time', 'timestamp', 'ts', '@timestamp'], parseTime, 'epoch milliseconds or ISO 8601');
  const msg = take(['msg', 'message'], asString, 'a string');
  const source = take(['source', 'name', 'logger'], asLabel, 'a string of 1 to 200 characters');
  const event = take(['event', 'event_type'], asLabel, 'a string of 1 to 200 characters');
  const run = take(['run', 'run_id'], asLabel, 'a string of 1 to 200 characters');
  const attrs = take(['attrs'], asObject, 'an object');

  const attributes = boundedDepth({ ...rest, ...attrs }, mode);
  return {
    time: time ?? context.now,
    channel: context.channel,
    source: source ?? context.source,
    level: level ?? context.level ?? 'info',
    msg: msg ?? '',
    ...(event !== undefined && { event }),
    ...(run !== undefined && { run }),
    ...(Object.keys(attributes).length > 0 && { attrs: attributes }),
  };
}

function boundedDepth(attrs: Record<string, unknown>, mode: 'strict' | 'lenient'): Record<string, unknown> {
  if (!deeperThan(MAX_DEPTH, attrs)) return attrs;
  if (mode === 'lenient') return { cut: `attributes nested deeper than ${MAX_DEPTH}` };
  throw new CodedError('invalid_entry', `attrs must be nested ${MAX_DEPTH} deep at most`, { field: 'attrs' });
}

/** Whether it can be an entry's `attrs`: an object that no recursive reader needs to fear. */
export function isAttributes(value: unknown): boolean {
  return asObject(value) !== undefined && !deeperThan(MAX_DEPTH, value);
}

function deeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => deeperThan(levels - 1, inner));
}

function decodeText(text: string, context: DecodeContext): EntryFields {
  return {
    time: context.now,
    channel: context.channel,
    source: context.source,
    level: guessLevel(text, context.level),
    msg: withoutLineEnd(text),
  };
}

// No regular expression: /[\r\n]+$/ takes minutes on a text that is line ends but for its last character.
function withoutLineEnd(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\n' || text[end - 1] === '\r') end--;
  return text.slice(0, end);
}

const utf8 = new TextDecoder('utf-8');

function beginning(payload: Uint8Array | string): string {
  return typeof payload === 'string'
    ? payload.slice(0, MAX_BYTES) + cutMark(utf8Bytes(payload))
    : utf8.decode(payload.subarray(0, MAX_BYTES)) + cutMark(payload.length);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (holdsMoreThan(MAX_ENTRY_VALUES, text)) return undefined; // shown as text, which is cut
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined; // not JSON: it is a text that begins with a brace
  }
}

// Date.parse alone makes a date of almost any text that ends in a number.
const DATE_TEXT = /^(?:\d{4}[-/]\d|[A-Z][a-z]{2},? )/;

/** Epoch s, ms, µs or ns by magnitude, or a date text; to whole ms. */
function parseTime(value: unknown): number | undefined {
  if (typeof value === 'string') {
    const text = value.slice(0, 100);
    if (/^\d+(\.\d+)?$/.test(text)) return parseTime(Number(text));
    return DATE_TEXT.test(text) ? parseTimeMs(Date.parse(text.replace(/,(?=\d{3})/, '.'))) : undefined;
  }
  if (typeof value !== 'number') return undefined;
  return parseTimeMs(
    value < 1e11 ? value * 1e3 : value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6,
  );
}

function parseTimeMs(ms: number): number | undefined {
  return ms >= 0 && ms <= 8.64e15 ? Math.round(ms) : undefined;
}

function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asLabel(value: unknown): string | undefined {
  return isLabel(value) ? value.toWellFormed() : undefined;
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
