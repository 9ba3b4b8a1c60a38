// The body of POST /api/publish → drafts of entries. The first entry that is not valid refuses the whole body, and the
// error names its place: `[3]` in an array, `line 4` in NDJSON.

import { MAX_BATCH_ENTRIES } from '@llm-streamer/shared/broker/broker.ts';
import { CHANNEL_RULE, isChannel, isReserved } from '@llm-streamer/shared/channels.ts';
import { parseCanonical } from '@llm-streamer/shared/decode/canonical-entry.ts';
import { decodeObject, decodePayload } from '@llm-streamer/shared/decode/decode.ts';
import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { holdsMoreThan, isWiderThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Access } from '../auth/access.ts';
import { invalid } from '../parameters.ts';
import { HttpError } from './errors.ts';

/** The bound of a JSON body, which is parsed in one step. Lines of NDJSON are parsed one by one, each with a bound of its own. */
const MAX_BODY_VALUES = 50_000;
/** Blank lines count, because a body may be a megabyte of line ends. */
const MAX_LINES = 10_000;

export interface PublishBodyOptions {
  /** The content type, in lower case. */
  type: string;
  /** The channel of entries that name none. */
  channel: string | undefined;
  entryBytes: number;
  slicer: TimeSlicer;
  /** What the one who writes may write. */
  access: Pick<Access, 'checkPublish' | 'defaultSource'>;
}

/** @throws CodedError `invalid_body`, `invalid_json`, `invalid_entry`, `batch_too_large` or `channel_reserved` */
export async function parsePublishBody(body: Buffer, options: PublishBodyOptions): Promise<Draft[]> {
  const { type, channel, entryBytes, slicer, access } = options;
  const source = access.defaultSource;
  const content = body.toString('utf8').replace(/^\uFEFF/, '');
  if (content.trim() === '')
    throw new CodedError('invalid_body', 'the body is empty; send {"channel":"logs","msg":"hi"}');
  const now = Date.now();
  // A browser's fetch sends JSON as text/plain, too. If the query names a channel, text/plain means plain text.
  if (type.startsWith('text/plain') && (channel !== undefined || !/^\s*[{[]/.test(content))) {
    if (channel === undefined) throw invalid('channel', 'say where plain text goes: ?channel=logs');
    const lines = linesOf(content).filter((line) => line.trim() !== '');
    checkCount(lines.length);
    return mapInSlices(lines, slicer, (line) => {
      const one = draft(decodePayload(line, { channel, now, source }), entryBytes);
      access.checkPublish(one);
      return one;
    });
  }
  const { count, valueAt, labelOf } = parseValues(content, type.includes('ndjson'), entryBytes);
  checkCount(count);
  return mapInSlices(
    Array.from({ length: count }, (_, i) => i),
    slicer,
    (i) => {
      const value = valueAt(i);
      try {
        const one = toDraft(value, { channel, now, source }, entryBytes);
        access.checkPublish(one);
        return one;
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        const label = labelOf(i);
        if (label === '') throw error;
        const field = error.field === undefined ? label : `${label}.${error.field}`;
        throw new CodedError(error.code, `${label}: ${error.message}`, { field });
      }
    },
  );
}

export function checkChannel(channel: unknown): asserts channel is string {
  const field = 'channel';
  if (typeof channel !== 'string' || !isChannel(channel))
    throw new CodedError('invalid_entry', `channel must be ${CHANNEL_RULE}`, { field });
  if (isReserved(channel))
    throw new CodedError(
      'channel_reserved',
      'channels of runs, conversations and the audit are written by the gateway only',
      { field },
    );
}

/** One entry of the body. A line that is already in the log's own form is a draft as it stands, and is not parsed. */
type Value = { canonical: Draft } | { canonical: null; parsed: unknown };

interface Values {
  count: number;
  /** Parses a line of NDJSON when it is asked for. */
  valueAt: (index: number) => Value;
  /** The entry's place as errors name it: a line of NDJSON, an index in an array; empty for a single entry. */
  labelOf: (index: number) => string;
}

function parseValues(content: string, ndjson: boolean, entryBytes: number): Values {
  if (!ndjson) {
    try {
      checkValues(MAX_BODY_VALUES, content, 'the body');
      const value: unknown = JSON.parse(content);
      const [all, labelOf] = Array.isArray(value) ? [value, (i: number) => `[${i}]`] : [[value], () => ''];
      return { count: all.length, valueAt: (i) => ({ canonical: null, parsed: all[i] }), labelOf };
    } catch (error) {
      if (error instanceof CodedError) throw error;
      // Several lines may be NDJSON under another content type. (`\s` would match `\n`, too, and take minutes on a body
      // of line ends.)
      if (!/\n[ \t]*\{/.test(content)) throw new CodedError('invalid_json', 'the body is not JSON');
    }
  }
  const lines = linesOf(content).map((line, i) => ({ line, number: i + 1 }));
  const filled = lines.filter(({ line }) => line.trim() !== '');
  const labelOf = (i: number) => `line ${filled[i]?.number}`;
  const valueAt = (i: number): Value => {
    const line = filled[i]?.line ?? '';
    const canonical = parseCanonical(line, entryBytes);
    if (canonical) return { canonical };
    checkValues(MAX_ENTRY_VALUES, line, labelOf(i));
    try {
      return { canonical, parsed: JSON.parse(line) };
    } catch {
      throw new CodedError('invalid_json', `${labelOf(i)} is not JSON`, { field: labelOf(i) });
    }
  };
  return { count: filled.length, valueAt, labelOf };
}

/** Drafts of five hundred entries can take longer than other requests and live streams should wait: so it pauses in between. */
async function mapInSlices<T>(
  all: readonly T[],
  slicer: TimeSlicer,
  toDraft: (one: T) => Draft,
): Promise<Draft[]> {
  const drafts: Draft[] = [];
  for (const one of all) {
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
    drafts.push(toDraft(one));
  }
  return drafts;
}

interface Fallbacks {
  channel: string | undefined;
  now: number;
  source: string;
}

function toDraft(value: Value, { now, source, ...fallback }: Fallbacks, entryBytes: number): Draft {
  if (value.canonical) {
    checkChannel(value.canonical.channel);
    return value.canonical;
  }
  const { parsed } = value;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new CodedError('invalid_entry', 'an entry is a JSON object');
  if (isWiderThan(MAX_ENTRY_VALUES, parsed))
    throw new CodedError('invalid_entry', `an entry holds at most ${MAX_ENTRY_VALUES} values`);
  const object = parsed as Record<string, unknown>;
  const channel = object.channel ?? fallback.channel;
  checkChannel(channel);
  return draft(decodeObject(object, { channel, now, source }, 'strict'), entryBytes);
}

function linesOf(content: string): string[] {
  const lines = content.split('\n', MAX_LINES + 1);
  if (lines.length > MAX_LINES)
    throw tooLarge(`at most ${MAX_LINES} lines in one request, blank ones included`);
  return lines;
}

function checkValues(most: number, json: string, what: string): void {
  if (holdsMoreThan(most, json))
    throw new CodedError('invalid_entry', `${what} holds more than ${most} values`);
}

function checkCount(count: number): void {
  if (count === 0) throw new CodedError('invalid_body', 'the body holds no entry');
  if (count > MAX_BATCH_ENTRIES) throw tooLarge(`at most ${MAX_BATCH_ENTRIES} entries in one request`);
}

function tooLarge(message: string): HttpError {
  return new HttpError('batch_too_large', message);
}
