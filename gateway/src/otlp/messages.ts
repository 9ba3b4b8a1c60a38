// The messages of OTLP as tables: which field has which name and type (opentelemetry-proto 1.11). Fields that no entry is made of, such
// as links and buckets, are missing here, and are skipped where they come.

/** `fixed64` are times and counts, `int64` and `sfixed64` values. Ids are written in hexadecimal digits, as in OTLP's JSON. */
export type Scalar =
  | 'text'
  | 'hex'
  | 'base64'
  | 'int64'
  | 'fixed64'
  | 'sfixed64'
  | 'uint32'
  | 'bool'
  | 'double';

export interface Field {
  /** The name in OTLP's JSON. */
  name: string;
  type: Scalar | Message;
  repeated?: boolean;
}

/** By field number. */
export type Message = Record<number, Field>;

const one = (name: string, type: Field['type']): Field => ({ name, type });
const many = (name: string, type: Field['type']): Field => ({ name, type, repeated: true });

const ANY_VALUE: Message = {};
const KEY_VALUE: Message = { 1: one('key', 'text'), 2: one('value', ANY_VALUE) };
Object.assign(ANY_VALUE, {
  1: one('stringValue', 'text'),
  2: one('boolValue', 'bool'),
  3: one('intValue', 'int64'),
  4: one('doubleValue', 'double'),
  5: one('arrayValue', { 1: many('values', ANY_VALUE) }),
  6: one('kvlistValue', { 1: many('values', KEY_VALUE) }),
  7: one('bytesValue', 'base64'),
} satisfies Message);

const RESOURCE: Message = { 1: many('attributes', KEY_VALUE) };
const SCOPE: Message = { 1: one('name', 'text'), 2: one('version', 'text') };

const SPAN: Message = {
  1: one('traceId', 'hex'),
  2: one('spanId', 'hex'),
  4: one('parentSpanId', 'hex'),
  5: one('name', 'text'),
  6: one('kind', 'uint32'),
  7: one('startTimeUnixNano', 'fixed64'),
  8: one('endTimeUnixNano', 'fixed64'),
  9: many('attributes', KEY_VALUE),
  11: many('events', {
    1: one('timeUnixNano', 'fixed64'),
    2: one('name', 'text'),
    3: many('attributes', KEY_VALUE),
  }),
  15: one('status', { 2: one('message', 'text'), 3: one('code', 'uint32') }),
};

const LOG_RECORD: Message = {
  1: one('timeUnixNano', 'fixed64'),
  2: one('severityNumber', 'uint32'),
  3: one('severityText', 'text'),
  5: one('body', ANY_VALUE),
  6: many('attributes', KEY_VALUE),
  9: one('traceId', 'hex'),
  10: one('spanId', 'hex'),
  11: one('observedTimeUnixNano', 'fixed64'),
  12: one('eventName', 'text'),
};

const NUMBER_POINT: Message = {
  3: one('timeUnixNano', 'fixed64'),
  4: one('asDouble', 'double'),
  6: one('asInt', 'sfixed64'),
  7: many('attributes', KEY_VALUE),
};
const HISTOGRAM_POINT: Message = {
  3: one('timeUnixNano', 'fixed64'),
  4: one('count', 'fixed64'),
  5: one('sum', 'double'),
  9: many('attributes', KEY_VALUE),
};
const EXPONENTIAL_POINT: Message = {
  1: many('attributes', KEY_VALUE),
  3: one('timeUnixNano', 'fixed64'),
  4: one('count', 'fixed64'),
  5: one('sum', 'double'),
};
const SUMMARY_POINT: Message = {
  3: one('timeUnixNano', 'fixed64'),
  4: one('count', 'fixed64'),
  5: one('sum', 'double'),
  7: many('attributes', KEY_VALUE),
};
const points = (point: Message): Message => ({ 1: many('dataPoints', point) });
const METRIC: Message = {
  1: one('name', 'text'),
  3: one('unit', 'text'),
  5: one('gauge', points(NUMBER_POINT)),
  7: one('sum', points(NUMBER_POINT)),
  9: one('histogram', points(HISTOGRAM_POINT)),
  10: one('exponentialHistogram', points(EXPONENTIAL_POINT)),
  11: one('summary', points(SUMMARY_POINT)),
};

export const SIGNALS = ['logs', 'traces', 'metrics'] as const;
export type Signal = (typeof SIGNALS)[number];

/** The names of the three levels of a request, and the message of a record. */
const LEVELS = {
  logs: { resources: 'resourceLogs', scopes: 'scopeLogs', records: 'logRecords', record: LOG_RECORD },
  traces: { resources: 'resourceSpans', scopes: 'scopeSpans', records: 'spans', record: SPAN },
  metrics: { resources: 'resourceMetrics', scopes: 'scopeMetrics', records: 'metrics', record: METRIC },
} as const;

export function levelsOf(signal: Signal): { resources: string; scopes: string; records: string } {
  return LEVELS[signal];
}

function requestOf(signal: Signal): Message {
  const { resources, scopes, records, record } = LEVELS[signal];
  const scope: Message = { 1: one('scope', SCOPE), 2: many(records, record) };
  return { 1: many(resources, { 1: one('resource', RESOURCE), 2: many(scopes, scope) }) };
}

export const REQUESTS: Readonly<Record<Signal, Message>> = {
  logs: requestOf('logs'),
  traces: requestOf('traces'),
  metrics: requestOf('metrics'),
};
