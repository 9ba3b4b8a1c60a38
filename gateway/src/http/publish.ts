// POST /api/publish: one entry, an array, or NDJSON, whole or not at all.

import type { Broker, WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import { MAX_BATCH_ENTRIES } from '@llm-streamer/shared/broker/broker.ts';
import { CHANNEL_RULE, isChannel, isReserved } from '@llm-streamer/shared/channels.ts';
import { decodeObject, decodePayload } from '@llm-streamer/shared/decode.ts';
import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { asWritten } from '@llm-streamer/shared/written.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalid, text } from '../stream/query.ts';
import { HttpError } from './errors.ts';

const BODY_BYTES = 1_048_576;
const ACCEPTED = 'application/json, application/x-ndjson, text/plain';

export function publishRoute(app: FastifyInstance, broker: Broker, entryBytes: number): void {
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
        const drafts = toDrafts(request.body ?? Buffer.alloc(0), request, channel, entryBytes);
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

function toDrafts(
  body: Buffer,
  request: FastifyRequest,
  channel: string | undefined,
  entryBytes: number,
): Draft[] {
  const type = request.headers['content-type']?.toLowerCase() ?? '';
  const content = body.toString('utf8').replace(/^\uFEFF/, '');
  if (content.trim() === '')
    throw new CodedError('invalid_body', 'the body is empty; send {"channel":"logs","msg":"hi"}');
  const now = Date.now();
  // A browser's fetch calls JSON text/plain too; where the query names a channel, nobody has to guess.
  if (type.startsWith('text/plain') && (channel !== undefined || !/^\s*[{[]/.test(content))) {
    if (channel === undefined) throw invalid('channel', 'say where plain text goes: ?channel=logs');
    const lines = content.split('\n').filter((line) => line.trim() !== '');
    checkCount(lines.length);
    return lines.map((line) => draft(decodePayload(line, { channel, now, source: 'http' }), entryBytes));
  }
  const { values, label } = parseValues(content, type.includes('ndjson'), entryBytes);
  checkCount(values.length);
  return values.map((value, i) => {
    try {
      return toDraft(value, channel, now, entryBytes);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const where = label(i);
      if (where === '') throw error;
      const field = error.field === undefined ? where : `${where}.${error.field}`;
      throw new CodedError(error.code, `${where}: ${error.message}`, { field });
    }
  });
}

/** A line that is an entry just as the log writes it is not parsed. */
type Value = { written: Draft } | { written: null; parsed: unknown };

interface Values {
  values: Value[];
  /** How an entry is named in an error: the line of NDJSON, the index in an array, nothing for a single one. */
  label: (index: number) => string;
}

function parseValues(content: string, ndjson: boolean, entryBytes: number): Values {
  if (!ndjson) {
    try {
      const value: unknown = JSON.parse(content);
      const [all, label] = Array.isArray(value) ? [value, (i: number) => `[${i}]`] : [[value], () => ''];
      return { values: all.map((parsed: unknown) => ({ written: null, parsed })), label };
    } catch {
      // Several lines may still be NDJSON under another content type. (\s, which holds \n, would take minutes here.)
      if (!/\n[ \t]*\{/.test(content)) throw new CodedError('invalid_json', 'the body is not JSON');
    }
  }
  const lines = content.split('\n').map((line, i) => ({ line, number: i + 1 }));
  const filled = lines.filter(({ line }) => line.trim() !== '');
  const label = (i: number) => `line ${filled[i]?.number}`;
  const values = filled.map(({ line }, i): Value => {
    const written = asWritten(line, entryBytes);
    if (written) return { written };
    try {
      return { written, parsed: JSON.parse(line) };
    } catch {
      throw new CodedError('invalid_json', `${label(i)} is not JSON`, { field: label(i) });
    }
  });
  return { values, label };
}

function toDraft(value: Value, fallback: string | undefined, now: number, entryBytes: number): Draft {
  if (value.written) {
    checkChannel(value.written.channel, 'channel');
    return value.written;
  }
  const { parsed } = value;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new CodedError('invalid_entry', 'an entry is a JSON object');
  const object = parsed as Record<string, unknown>;
  const channel = object.channel ?? fallback;
  checkChannel(channel, 'channel');
  const fields = decodeObject(object, { channel, now, source: 'http' }, 'strict');
  if (fields.msg === '' && fields.event === undefined && fields.attrs === undefined)
    throw new CodedError('invalid_entry', 'an entry needs a msg, an event or attrs', { field: 'msg' });
  return draft(fields, entryBytes);
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
  if (count > MAX_BATCH_ENTRIES)
    throw new HttpError('batch_too_large', `at most ${MAX_BATCH_ENTRIES} entries in one request`);
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
