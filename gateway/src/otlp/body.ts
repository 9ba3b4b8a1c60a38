// The unpacked bytes of a request → one object in the form of OTLP's JSON, with bounds.

import { setImmediate as nextRound } from 'node:timers/promises';
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

/** Reading, counting and parsing a larger body of JSON are steps between which the event loop does what else is due. */
const LARGE_BYTES = 262_144;

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
