// POST /api/publish: stores one entry, an array of entries, NDJSON, or lines of text. What the log takes in one batch is taken as a whole
// or not at all; more than that, which shippers send that cannot be told how much to send, goes batch by batch.

import type { PublishAnswer } from '@llm-streamer/shared/api-types.ts';
import {
  type Broker,
  MAX_BATCH_BYTES,
  MAX_BATCH_ENTRIES,
  type WriterStamp,
} from '@llm-streamer/shared/broker/broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
import { type Params, text } from '../parameters.ts';
import { sharerOf } from '../sharer-of.ts';
import { type Attempt, Attempts } from '../shippers/attempts.ts';
import { MAX_BODY_BYTES, MAX_RECORDS } from '../shippers/limits.ts';
import { partialRefusal, ShipperStore } from '../shippers/store.ts';
import { type Packing, unpack } from '../shippers/unpack.ts';
import { HttpError } from './errors.ts';
import { takeAnyBody } from './protocol-scope.ts';
import { checkChannel, parsePublishBody } from './publish-body.ts';
import { packingOf, readBody } from './read-body.ts';
import { Turns } from './turns.ts';

/** A body up to this length waits for no other. */
const SMALL_BYTES = 1_048_576;
const ACCEPTED = 'application/json, application/x-ndjson, text/plain';

export function publishRoute(app: FastifyInstance, broker: Broker, entryBytes: number): void {
  const slicer = new TimeSlicer();
  const turns = new Turns();
  const attempts = new Attempts();
  const store = new ShipperStore({ broker, entryBytes, slicer });

  const publish = async (
    { query, headers, access }: FastifyRequest<{ Querystring: Params }>,
    body: Buffer,
    { now, nonce }: Attempt,
  ): Promise<PublishAnswer> => {
    const channel = text(query, 'channel');
    if (channel !== undefined) checkChannel(channel);
    const stamp = stampOf(headers, access);
    const drafts = await parsePublishBody(body, {
      type: headers['content-type']?.toLowerCase() ?? '',
      channel,
      entryBytes,
      // A stamp is for one batch.
      most: stamp === undefined ? MAX_RECORDS : MAX_BATCH_ENTRIES,
      now,
      mode: /(?:^|,)\s*handling\s*=\s*lenient\b/i.test(String(headers.prefer ?? '')) ? 'lenient' : 'strict',
      slicer,
      access,
    });
    if (stamp !== undefined || isOneBatch(drafts)) return { ids: await broker.publish(drafts, stamp) };
    const groups = drafts.map((one) => ({ drafts: [one], records: 1, timed: true, exact: nonce }));
    const stored = await store.deliver(groups, access);
    const refusal = partialRefusal(stored);
    if (refusal !== undefined) throw refusal;
    return { stored: stored.accepted };
  };

  app.register(async (scope) => {
    takeAnyBody(scope);
    scope.post<{ Querystring: Params }>(
      '/api/publish',
      { config: { needs: 'publish', parameters: ['channel'], anyName: true } },
      async (request): Promise<PublishAnswer> => {
        const packing = checkContentHeaders(request.headers);
        const isSmall = packing === 'identity' && Number(request.headers['content-length']) <= SMALL_BYTES;
        const bytes = await readBody(request, isSmall ? SMALL_BYTES : MAX_BODY_BYTES);
        const work = async () => {
          await request.confirmRights(); // the handler began before the body was there
          const whole = await unpack(bytes, packing, MAX_BODY_BYTES);
          return attempts.run(request.access.principal.id, whole, (attempt) =>
            publish(request, whole, attempt),
          );
        };
        return isSmall ? work() : turns.run(sharerOf(request.access.principal, request.ip), work);
      },
    );
  });
}

function isOneBatch(drafts: readonly Draft[]): boolean {
  if (drafts.length > MAX_BATCH_ENTRIES) return false;
  let bytes = 0;
  for (const { body } of drafts) bytes += body.length;
  return bytes <= MAX_BATCH_BYTES;
}

/** XML or a form with files would fail as "not JSON", which does not say what is wrong. */
function checkContentHeaders(headers: FastifyRequest['headers']): Packing {
  const packing = packingOf(headers['content-encoding']);
  if (/^(?:multipart\/|[^;]*[/+]xml\b)/i.test(headers['content-type'] ?? ''))
    throw new HttpError('unsupported_media_type', `send one of ${ACCEPTED}`, {
      field: 'Content-Type',
      headers: { 'accept-post': ACCEPTED },
    });
  return packing;
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
