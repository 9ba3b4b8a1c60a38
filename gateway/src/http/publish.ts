// POST /api/publish: stores one entry, an array of entries, NDJSON, or lines of text; either all of a request or nothing.

import type { PublishAnswer } from '@llm-streamer/shared/api-types.ts';
import type { Broker, WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
import { type Params, text } from '../parameters.ts';
import { HttpError } from './errors.ts';
import { checkChannel, parsePublishBody } from './publish-body.ts';

const BODY_BYTES = 1_048_576;
const ACCEPTED = 'application/json, application/x-ndjson, text/plain';

export function publishRoute(app: FastifyInstance, broker: Broker, entryBytes: number): void {
  const slicer = new TimeSlicer();
  app.register(async (scope) => {
    // The body is read whatever its content type: `curl -d` says that it sends a form.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES }, (_request, body, done) => {
      done(null, body);
    });

    scope.post<{ Body: Buffer | undefined; Querystring: Params }>(
      '/api/publish',
      { bodyLimit: BODY_BYTES, config: { needs: 'publish', parameters: ['channel'] } },
      async ({ query, headers, access, body = Buffer.alloc(0) }): Promise<PublishAnswer> => {
        checkContentHeaders(headers);
        const channel = text(query, 'channel');
        if (channel !== undefined) checkChannel(channel);
        const type = headers['content-type']?.toLowerCase() ?? '';
        const drafts = await parsePublishBody(body, { type, channel, entryBytes, slicer, access });
        return { ids: await broker.publish(drafts, stampOf(headers, access)) };
      },
    );
  });
}

/** A compressed body, XML or a form with files would fail as "not JSON", which does not say what is wrong. */
function checkContentHeaders(headers: FastifyRequest['headers']): void {
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

function stampOf(headers: FastifyRequest['headers'], access: Access): WriterStamp | undefined {
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
  return { writer: access.writerId(writer), seq: number };
}
