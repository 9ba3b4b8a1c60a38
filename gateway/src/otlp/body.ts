// The bytes of a request → one object in the form of OTLP's JSON: unpacked, and parsed. Each step has a bound.

import { setImmediate as nextRound } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { holdsMoreThan } from '@llm-streamer/shared/json-values.ts';
import { REQUESTS, type Signal } from './messages.ts';
import { tooManyValues } from './too-many.ts';
import { readProtobuf } from './wire.ts';

/**
 * The most values of one request. A batch of 512 spans of a model with 30 attributes each has about 50,000 in protobuf; a megabyte of
 * empty messages would otherwise become half a million objects.
 */
const MAX_VALUES = 200_000;

const unpackers = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) } as const;

/** Reading, counting and parsing a larger body of JSON are steps between which the event loop does what else is due. */
const LARGE_BYTES = 262_144;

export type Packing = 'identity' | keyof typeof unpackers;

/** @throws CodedError `body_too_large` or `invalid_otlp` */
export async function unpack(body: Buffer, packing: Packing, maxBytes: number): Promise<Buffer> {
  if (packing === 'identity' || body.length === 0) return body;
  try {
    return await unpackers[packing](body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new CodedError(
        'body_too_large',
        `unpacked, the body is over ${maxBytes} bytes (OTLP_BODY_BYTES)`,
      );
    throw new CodedError('invalid_otlp', `the body is not ${packing}`);
  }
}

/** @throws CodedError `invalid_otlp` or `batch_too_large` */
export async function parse(
  body: Buffer,
  encoding: 'protobuf' | 'json',
  signal: Signal,
): Promise<Record<string, unknown>> {
  const value =
    encoding === 'json' ? await parseJson(body) : readProtobuf(body, REQUESTS[signal], MAX_VALUES);
  return value as Record<string, unknown>;
}

async function parseJson(body: Buffer): Promise<unknown> {
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  if (text.trim() === '') return {};
  if (body.length > LARGE_BYTES) await nextRound();
  if (holdsMoreThan(MAX_VALUES, text)) throw tooManyValues(MAX_VALUES);
  if (body.length > LARGE_BYTES) await nextRound();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CodedError('invalid_otlp', 'the body is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CodedError('invalid_otlp', 'the body must be a JSON object such as {"resourceLogs":[…]}');
}
