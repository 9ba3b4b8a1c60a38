// The unpacked bytes of a request → one object in the form of OTLP's JSON, with bounds.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { checkShape } from '../shippers/json-shape.ts';
import { textOf } from '../shippers/unpack.ts';
import { REQUESTS, type Signal } from './messages.ts';
import { readProtobuf } from './wire.ts';

/**
 * The most values of one request. A batch of 512 spans of a model with 30 attributes each has about 50,000 in protobuf; a megabyte of
 * empty messages would otherwise become half a million objects.
 */
const MAX_VALUES = 200_000;
/** OTLP writes attributes as lists, and an object of its JSON has some ten names. Depth is cut later, in both encodings. */
const SHAPE = { values: MAX_VALUES, members: 1_000, depth: MAX_VALUES };

/** @throws CodedError `invalid_otlp` or `batch_too_large` */
export async function parse(
  body: Buffer,
  encoding: 'protobuf' | 'json',
  signal: Signal,
  slicer: TimeSlicer,
): Promise<Record<string, unknown>> {
  const value =
    encoding === 'json' ? await parseJson(body, slicer) : readProtobuf(body, REQUESTS[signal], MAX_VALUES);
  return value as Record<string, unknown>;
}

async function parseJson(body: Buffer, slicer: TimeSlicer): Promise<unknown> {
  const text = (await textOf(body, slicer)).replace(/^\uFEFF/, '');
  if (text.trim() === '') return {};
  await checkShape(text, SHAPE);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CodedError('invalid_otlp', 'the body is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CodedError('invalid_otlp', 'the body must be a JSON object such as {"resourceLogs":[…]}');
}
