// POST /api/publish: one entry, an array, or NDJSON, whole or not at all.

import type { Broker, WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import { MAX_BATCH_ENTRIES } from '@llm-streamer/shared/broker/broker.ts';
import { CHANNEL_RULE, isChannel, isReserved } from '@llm-streamer/shared/channels.ts';
import { parseCanonical } from '@llm-streamer/shared/decode/canonical-entry.ts';
import { decodeObject, decodePayload } from '@llm-streamer/shared/decode/decode.ts';
import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { holdsMoreThan, isWiderThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalid, text } from '../stream/query/query.ts';
import { HttpError } from './errors.ts';

const BODY_BYTES = 1_048_576;
/** Of one JSON body: all of it is parsed in one go. Lines of NDJSON are parsed one by one, and have each its own bound. */
const MAX_BODY_VALUES = 50_000;
/** Blank ones included: a body may be a megabyte of line ends. */
const MAX_LINES = 10_000;
const ACCEPTED = 'application/json, application/x-ndjson, text/plain';

export function publishRoute(app: FastifyInstance, broker: Broker, entryBytes: number): void {
  const pace = new TimeSlicer();
  app.register(async (scope) => {
    // Any content type: curl -d says it sends a form.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES }, (_request, body, done) => {
      done(null, body);
    });

    scope.post<{ Body: Buffer | undefined; Querystring: Record<string, unknown> }>(
      '/api/publish',
      { bodyLimit: BODY_BYTES },
      async (request) => {
        checkForm(request);
        for (const key of Object.keys(request.query))
          if (key !== 'channel') throw invalid(key, 'unknown parameter; known is channel');
        const channel = text(request.query, 'channel');
        if (channel !== undefined) checkChannel(channel, 'channel');
        const drafts = await toDrafts(request.body ?? Buffer.alloc(0), request, channel, entryBytes, pace);
        return { ids: await broker.publish(drafts, stampOf(request)) };
      },
    );
  });
}

/** Read as JSON, such bodies would be refused for a reason that misleads. */
function checkForm({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'] ?? '';
  if (!['', 'identity'].includes(encoding.trim().toLowerCase()))
    throw new HttpError('unsupported_encoding', 'send the body as it is, not compressed', {
      field: 'Content-Encoding',
      headers: { 'accept-encoding': 'identity' },
    });
  if (/^(?:multipart\/|[^;]*[/+]xml\b)/i.test(headers['content-type'] ?? ''))
    throw new HttpError('unsupported_media_type', `send one of ${ACCEPTED}`, {
      field: 'Content-Type',
      headers: { 'accept-post': ACCEPTED },
    });
}

async function toDrafts(
  body: Buffer,
  request: FastifyRequest,
  channel: string | undefined,
  entryBytes: number,
  pace: TimeSlicer,
): Promise<Draft[]> {
  const type = request.headers['content-type']?.toLowerCase() ?? '';
  const content = body.toString('utf8').replace(/^\uFEFF/, '');
  if (content.trim() === '')
    throw new CodedError('invalid_body', 'the body is empty; send {"channel":"logs","msg":"hi"}');
  const now = Date.now();
  // A browser's fetch calls JSON text/plain too; where the query names a channel, nobody has to guess.
  if (type.startsWith('text/plain') && (channel !== undefined || !/^\s*[{[]/.test(content))) {
    if (channel === undefined) throw invalid('channel', 'say where plain text goes: ?channel=logs');
    const lines = linesOf(content).filter((line) => line.trim() !== '');
    checkCount(lines.length);
    return inTurns(lines, pace, (line) => {
      return draft(decodePayload(line, { channel, now, source: 'http' }), entryBytes);
    });
  }
  const { values, valueAt, label } = parseValues(content, type.includes('ndjson'), entryBytes);
  checkCount(values);
  return inTurns(
    Array.from({ length: values }, (_, i) => i),
    pace,
    (i) => {
      const value = valueAt(i);
      try {
        return toDraft(value, channel, now, entryBytes);
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        const where = label(i);
        if (where === '') throw error;
        const field = error.field === undefined ? where : `${where}.${error.field}`;
        throw new CodedError(error.code, `${where}: ${error.message}`, { field });
      }
    },
  );
}

/** A line that is an entry just as the log writes it is not parsed. */
type Value = { written: Draft } | { written: null; parsed: unknown };

interface Values {
  values: number;
  /** Parses it, where that was not done yet. */
  valueAt: (index: number) => Value;
  /** How an entry is named in an error: the line of NDJSON, the index in an array, nothing for a single one. */
  label: (index: number) => string;
}

function parseValues(content: string, ndjson: boolean, entryBytes: number): Values {
  if (!ndjson) {
    try {
      checkWidth(MAX_BODY_VALUES, content, 'the body');
      const value: unknown = JSON.parse(content);
      const [all, label] = Array.isArray(value) ? [value, (i: number) => `[${i}]`] : [[value], () => ''];
      return { values: all.length, valueAt: (i) => ({ written: null, parsed: all[i] }), label };
    } catch (error) {
      if (error instanceof CodedError) throw error;
      // Several lines may still be NDJSON under another content type. (\s, which holds \n, would take minutes here.)
      if (!/\n[ \t]*\{/.test(content)) throw new CodedError('invalid_json', 'the body is not JSON');
    }
  }
  const lines = linesOf(content).map((line, i) => ({ line, number: i + 1 }));
  const filled = lines.filter(({ line }) => line.trim() !== '');
  const label = (i: number) => `line ${filled[i]?.number}`;
  const valueAt = (i: number): Value => {
    const line = filled[i]?.line ?? '';
    const written = parseCanonical(line, entryBytes);
    if (written) return { written };
    checkWidth(MAX_ENTRY_VALUES, line, label(i));
    try {
      return { written, parsed: JSON.parse(line) };
    } catch {
      throw new CodedError('invalid_json', `${label(i)} is not JSON`, { field: label(i) });
    }
  };
  return { values: filled.length, valueAt, label };
}

/** Five hundred entries may take long to write anew: what is live goes on between them. */
async function inTurns<T>(all: readonly T[], pace: TimeSlicer, toDraft: (one: T) => Draft): Promise<Draft[]> {
  const drafts: Draft[] = [];
  for (const one of all) {
    const turn = pace.pauseIfDue();
    if (turn) await turn;
    drafts.push(toDraft(one));
  }
  return drafts;
}

function linesOf(content: string): string[] {
  const lines = content.split('\n', MAX_LINES + 1);
  if (lines.length > MAX_LINES)
    throw tooLarge(`at most ${MAX_LINES} lines in one request, blank ones included`);
  return lines;
}

function checkWidth(most: number, json: string, what: string): void {
  if (holdsMoreThan(most, json))
    throw new CodedError('invalid_entry', `${what} holds more than ${most} values`);
}

function tooLarge(message: string): HttpError {
  return new HttpError('batch_too_large', message);
}

function toDraft(value: Value, fallback: string | undefined, now: number, entryBytes: number): Draft {
  if (value.written) {
    checkChannel(value.written.channel, 'channel');
    return value.written;
  }
  const { parsed } = value;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new CodedError('invalid_entry', 'an entry is a JSON object');
  if (isWiderThan(MAX_ENTRY_VALUES, parsed))
    throw new CodedError('invalid_entry', `an entry holds at most ${MAX_ENTRY_VALUES} values`);
  const object = parsed as Record<string, unknown>;
  const channel = object.channel ?? fallback;
  checkChannel(channel, 'channel');
  return draft(decodeObject(object, { channel, now, source: 'http' }, 'strict'), entryBytes);
}

function checkChannel(channel: unknown, field: string): asserts channel is string {
  if (typeof channel !== 'string' || !isChannel(channel))
    throw new CodedError('invalid_entry', `channel must be ${CHANNEL_RULE}`, { field });
  if (isReserved(channel))
    throw new CodedError(
      'channel_reserved',
      'channels of runs and conversations are written by the gateway only',
      {
        field,
      },
    );
}

function checkCount(count: number): void {
  if (count === 0) throw new CodedError('invalid_body', 'the body holds no entry');
  if (count > MAX_BATCH_ENTRIES) throw tooLarge(`at most ${MAX_BATCH_ENTRIES} entries in one request`);
}

function stampOf({ headers }: FastifyRequest): WriterStamp | undefined {
  const writer = headers['publisher-id'];
  const seq = headers['publisher-seq'];
  if (writer === undefined && seq === undefined) return undefined;
  if (typeof writer !== 'string' || !/^[0-9a-f]{32}$/.test(writer))
    throw new CodedError('invalid_header', 'Publisher-Id must be 32 hexadecimal digits', {
      field: 'Publisher-Id',
    });
  const number = Number(seq);
  if (typeof seq !== 'string' || !/^\d{1,15}$/.test(seq) || number < 1)
    throw new CodedError('invalid_header', 'Publisher-Seq must be a whole number from 1', {
      field: 'Publisher-Seq',
    });
  return { writer, seq: number };
}
