// The body of POST /api/publish → drafts of entries. The first entry that is not valid refuses the whole body, and the
// error names its place: `[3]` in an array, `line 4` in NDJSON. A client that asks for leniency gets what is not valid shown as it is.

import { CHANNEL_RULE, isChannel, isReserved } from '@llm-streamer/shared/channels.ts';
import { decodeObject, decodePayload } from '@llm-streamer/shared/decode/decode.ts';
import type { Mode } from '@llm-streamer/shared/decode/object.ts';
import { parseTime } from '@llm-streamer/shared/decode/time.ts';
import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { isWiderThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Access } from '../auth/access.ts';
import { invalid } from '../parameters.ts';
import { MAX_STORED_BYTES } from '../shippers/limits.ts';
import { textOf } from '../shippers/unpack.ts';
import { checkCount, linesOf, type Value, valuesOf } from './publish-values.ts';

export interface PublishBodyOptions {
  /** The content type, in lower case. */
  type: string;
  /** The channel of entries that name none. */
  channel: string | undefined;
  entryBytes: number;
  /** The most entries. */
  most: number;
  /** The time of entries that name none. */
  now: number;
  mode: Mode;
  slicer: TimeSlicer;
  /** What the one who writes may write. */
  access: Pick<Access, 'checkPublish' | 'ownSource'>;
}

/** @throws CodedError `invalid_body`, `invalid_json`, `invalid_entry`, `batch_too_large` or `channel_reserved` */
export async function parsePublishBody(body: Buffer, options: PublishBodyOptions): Promise<Draft[]> {
  const { type, channel, entryBytes, most, now, slicer, access } = options;
  const content = (await textOf(body, slicer)).replace(/^\uFEFF/, '');
  if (content.trim() === '')
    throw new CodedError('invalid_body', 'the body is empty; send {"channel":"logs","msg":"hi"}');
  // A browser's fetch sends JSON as text/plain, too. If the query names a channel, text/plain means plain text.
  if (type.startsWith('text/plain') && (channel !== undefined || !/^\s*[{[]/.test(content))) {
    if (channel === undefined) throw invalid('channel', 'say where plain text goes: ?channel=logs');
    const lines = linesOf(content).filter((line) => line.trim() !== '');
    checkCount(lines.length, most);
    return draftsOf(lines.length, slicer, (i) => {
      const line = decodePayload(lines[i] ?? '', { channel, now, source: sourceOf(access) });
      const one = draft(line, entryBytes);
      access.checkPublish(one);
      return one;
    });
  }
  const { count, valueAt, labelOf } = await valuesOf(content, {
    isNdjson: type.includes('ndjson'),
    entryBytes,
    most,
    slicer,
  });
  checkCount(count, most);
  return draftsOf(count, slicer, (i) => {
    const label = labelOf(i);
    try {
      const one = toDraft(valueAt(i), label, options);
      access.checkPublish(one);
      return one;
    } catch (error) {
      if (!(error instanceof CodedError) || label === '' || error.field === label) throw error;
      const field = error.field === undefined ? label : `${label}.${error.field}`;
      throw new CodedError(error.code, `${label}: ${error.message}`, { field });
    }
  });
}

/** The source of entries that name none. */
function sourceOf({ ownSource }: Pick<Access, 'ownSource'>): string {
  return ownSource ?? 'http';
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

/** Drafts of thousands of entries can take longer than other requests and live streams should wait: so it pauses in between. */
async function draftsOf(
  count: number,
  slicer: TimeSlicer,
  draftAt: (index: number) => Draft,
): Promise<Draft[]> {
  const drafts: Draft[] = [];
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
    const one = draftAt(i);
    bytes += one.body.length;
    if (bytes > MAX_STORED_BYTES)
      throw new CodedError('batch_too_large', `the entries have over ${MAX_STORED_BYTES} bytes`);
    drafts.push(one);
  }
  return drafts;
}

type EntryOptions = Pick<PublishBodyOptions, 'channel' | 'entryBytes' | 'now' | 'mode' | 'access'>;

function toDraft(value: Value, label: string, options: EntryOptions): Draft {
  if ('canonical' in value) {
    checkChannel(value.canonical.channel);
    return value.canonical;
  }
  const { now, entryBytes, access, mode } = options;
  const context = { now, source: sourceOf(access) };
  if ('text' in value) {
    if (mode === 'strict')
      throw label === ''
        ? new CodedError('invalid_json', 'the body is not JSON')
        : new CodedError('invalid_json', `${label} is not JSON`, { field: label });
    checkChannel(options.channel);
    return draft(decodePayload(value.text, { ...context, channel: options.channel }), entryBytes);
  }
  const { time, record } = withTime(value.parsed);
  // An element of an array may be the line of a program.
  if (typeof record === 'string' && label.startsWith('[')) {
    checkChannel(options.channel);
    return draft(
      decodePayload(record, { ...context, channel: options.channel, now: time ?? now }),
      entryBytes,
    );
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    throw new CodedError('invalid_entry', 'an entry is a JSON object');
  if (isWiderThan(MAX_ENTRY_VALUES, record))
    throw new CodedError('invalid_entry', `an entry holds at most ${MAX_ENTRY_VALUES} values`);
  const object = record as Record<string, unknown>;
  const channel = channelOf(object, options);
  return draft(decodeObject(object, { ...context, channel, now: time ?? now }, mode), entryBytes);
}

function channelOf(object: Record<string, unknown>, { channel, mode }: EntryOptions): string {
  const own = object.channel ?? channel;
  // Another program may mean something else by the word.
  const named = mode === 'lenient' && (typeof own !== 'string' || !isChannel(own)) ? channel : own;
  checkChannel(named);
  return named;
}

/** Fluentd and Fluent Bit write `[time, record]`, and lately `[[time, metadata], record]`. */
function withTime(value: unknown): { time?: number | undefined; record: unknown } {
  if (!Array.isArray(value) || value.length !== 2) return { record: value };
  const [head, record] = value as [unknown, unknown];
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return { record: value };
  return { time: parseTime(Array.isArray(head) ? head[0] : head), record };
}
