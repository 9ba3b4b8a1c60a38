// What an exporter is answered, in the encoding of its request: a google.rpc.Status for an error, and how many records were rejected
// for a success. Needs no library, so that a refused request loads none.

import type { Signal } from './messages.ts';

export type Encoding = 'protobuf' | 'json';

export const CONTENT_TYPES = { protobuf: 'application/x-protobuf', json: 'application/json' } as const;

/** Codes of google.rpc by HTTP status; UNKNOWN for others. */
const CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  413: 3,
  415: 3,
  422: 3,
  429: 8,
  500: 13,
  503: 14,
};
const UNKNOWN = 2;

const REJECTED = {
  logs: 'rejectedLogRecords',
  traces: 'rejectedSpans',
  metrics: 'rejectedDataPoints',
} as const satisfies Record<Signal, string>;

export function statusBody(encoding: Encoding, httpStatus: number, message: string): Buffer {
  const code = CODES[httpStatus] ?? UNKNOWN;
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }));
  return Buffer.concat([varintField(1, code), textField(2, message)]);
}

/** `message` says why records were rejected; undefined where all were taken: then nothing is set, as the protocol asks. */
export function successBody(encoding: Encoding, signal: Signal, rejected: number, message?: string): Buffer {
  if (encoding === 'json') {
    const partial = { [REJECTED[signal]]: String(rejected), errorMessage: message };
    return Buffer.from(JSON.stringify(message === undefined ? {} : { partialSuccess: partial }));
  }
  if (message === undefined) return Buffer.alloc(0);
  return bytesField(1, Buffer.concat([varintField(1, rejected), textField(2, message)]));
}

function varintField(number: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.from([number << 3, ...varint(value)]);
}

function textField(number: number, text: string): Buffer {
  return bytesField(number, Buffer.from(text));
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}
