// The body of Loki's push request → its streams. JSON and protobuf give the same.

import { setImmediate as nextRound } from 'node:timers/promises';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Message } from '../otlp/messages.ts';
import { asList, asRecord, asText } from '../otlp/values.ts';
import { readProtobuf } from '../otlp/wire.ts';
import { checkShape } from './json-shape.ts';
import { MAX_BODY_BYTES, MAX_VALUES } from './limits.ts';
import { parseLabels } from './loki-labels.ts';
import { unsnappy } from './snappy.ts';
import { textOf } from './unpack.ts';

export interface LokiLine {
  /** Nanoseconds since 1970, as decimal digits. */
  nanos: string;
  line: string;
  /** Structured metadata. */
  metadata: ReadonlyMap<string, string>;
}

export interface LokiStream {
  /** Undefined if they cannot be read. */
  labels: ReadonlyMap<string, string> | undefined;
  lines: Iterable<LokiLine>;
}

const PAIR: Message = { 1: { name: 'name', type: 'text' }, 2: { name: 'value', type: 'text' } };
const TIMESTAMP: Message = { 1: { name: 'seconds', type: 'int64' }, 2: { name: 'nanos', type: 'uint32' } };
const ENTRY: Message = {
  1: { name: 'timestamp', type: TIMESTAMP },
  2: { name: 'line', type: 'text' },
  3: { name: 'structuredMetadata', type: PAIR, repeated: true },
};
const STREAM: Message = {
  1: { name: 'labels', type: 'text' },
  2: { name: 'entries', type: ENTRY, repeated: true },
};
const PUSH: Message = { 1: { name: 'streams', type: STREAM, repeated: true } };

/** Loki itself takes 15 labels of a stream, and 128 values of structured metadata of a line. */
const MAX_NAMES = 256;
/** Of all streams: a character of labels takes ten times as long to read as one of a line. */
const MAX_LABEL_CHARS = 4_194_304;
const SHAPE = { values: MAX_VALUES, members: MAX_NAMES, depth: 16 };
const NO_METADATA: ReadonlyMap<string, string> = new Map();

/** @throws CodedError `invalid_body`, `invalid_json`, `body_too_large` or `batch_too_large` */
export async function readProtobufPush(body: Buffer, slicer: TimeSlicer): Promise<LokiStream[]> {
  const bytes = await unsnappy(body, MAX_BODY_BYTES, slicer);
  await nextRound();
  const given = asList(asRecord(protobuf(bytes)).streams);
  await nextRound();
  const streams: LokiStream[] = [];
  let chars = 0;
  for (const stream of given) {
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
    const { labels, entries } = asRecord(stream);
    if (asList(entries).length === 0) continue;
    const text = asText(labels) ?? '{}';
    chars += text.length;
    if (chars > MAX_LABEL_CHARS)
      throw new CodedError(
        'batch_too_large',
        `the labels of all streams have over ${MAX_LABEL_CHARS} characters`,
      );
    streams.push({ labels: parseLabels(text), lines: linesOf(entries, protobufLine) });
  }
  return streams;
}

function* linesOf(list: unknown, read: (one: unknown) => LokiLine): Generator<LokiLine> {
  for (const one of asList(list)) yield read(one);
}

function protobuf(bytes: Buffer): unknown {
  try {
    return readProtobuf(bytes, PUSH, MAX_VALUES);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'batch_too_large') throw error;
    throw invalid('the body is not the protobuf of a push request');
  }
}

function protobufLine(entry: unknown): LokiLine {
  const { timestamp, line, structuredMetadata } = asRecord(entry);
  const { seconds = 0, nanos = 0 } = asRecord(timestamp);
  const given = asList(structuredMetadata);
  if (given.length > MAX_NAMES)
    throw new CodedError('batch_too_large', `a line has at most ${MAX_NAMES} values of structured metadata`);
  const pairs = given.map((pair): [string, string] => {
    const { name, value } = asRecord(pair);
    return [asText(name) ?? '', asText(value) ?? ''];
  });
  return {
    nanos: String(BigInt(String(seconds)) * 1_000_000_000n + BigInt(String(nanos))),
    line: asText(line) ?? '',
    metadata: pairs.length === 0 ? NO_METADATA : new Map(pairs),
  };
}

/** @throws CodedError `invalid_json`, `invalid_body` or `batch_too_large` */
export async function readJsonPush(body: Buffer, slicer: TimeSlicer): Promise<LokiStream[]> {
  const text = (await textOf(body, slicer)).replace(/^\uFEFF/, '');
  await nextRound();
  await checkShape(text, SHAPE);
  await nextRound();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CodedError('invalid_json', 'the body is not JSON');
  }
  const { streams } = asRecord(value);
  if (!Array.isArray(streams))
    throw invalid(
      'the body must look like {"streams":[{"stream":{"job":"api"},"values":[["<ns>","line"]]}]}',
    );
  return streams.map((one: unknown) => {
    const { stream, values } = asRecord(one);
    return { labels: texts(stream), lines: linesOf(values, jsonLine) };
  });
}

function jsonLine(value: unknown): LokiLine {
  const [time, line, metadata] = asList(value);
  const nanos =
    typeof time === 'number' && Number.isSafeInteger(Math.round(time / 1_000))
      ? BigInt(Math.round(time)).toString()
      : time;
  if (typeof nanos !== 'string' || !/^\d{1,19}$/.test(nanos) || typeof line !== 'string')
    throw invalid('a value must be ["<nanoseconds since 1970>", "<line>"]');
  return { nanos, line, metadata: metadata === undefined ? NO_METADATA : texts(metadata) };
}

function texts(object: unknown): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(asRecord(object)).flatMap(([name, value]) =>
      typeof value === 'object' ? [] : [[name, String(value)] as const],
    ),
  );
}

function invalid(message: string): CodedError {
  return new CodedError('invalid_body', message);
}
