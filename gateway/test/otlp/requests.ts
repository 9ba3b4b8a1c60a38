// Requests of OTLP, written by hand as its JSON, and what a gateway makes of them.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { OPEN_ACCESS } from '../../src/auth/access.ts';
import type { Signal } from '../../src/otlp/messages.ts';
import { type Outcome, Receiver } from '../../src/otlp/receiver.ts';

export const TRACE = '0af7651916cd43dd8448eb211c80319c';
export const T0 = 1_795_224_320_000;

export function nanos(ms: number): string {
  return `${BigInt(ms) * 1_000_000n}`;
}

/** A value in the form of OTLP's JSON. */
export function any(value: unknown): Record<string, unknown> {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isInteger(value) ? { intValue: value } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(any) } };
  return { kvlistValue: { values: pairs(value as Record<string, unknown>) } };
}

export function pairs(object: Record<string, unknown>): { key: string; value: unknown }[] {
  return Object.entries(object).map(([key, value]) => ({ key, value: any(value) }));
}

export interface SpanOptions {
  name?: string;
  id?: string;
  parent?: string;
  attributes?: Record<string, unknown>;
  more?: Record<string, unknown>;
}

export function span({
  name = 'work',
  id = 'b7ad6b7169203331',
  parent,
  attributes = {},
  more = {},
}: SpanOptions) {
  return {
    traceId: TRACE,
    spanId: id,
    ...(parent !== undefined && { parentSpanId: parent }),
    name,
    kind: 3,
    startTimeUnixNano: nanos(T0),
    endTimeUnixNano: nanos(T0 + 2_300),
    attributes: pairs(attributes),
    ...more,
  };
}

export function spansOf(...spans: unknown[]): Record<string, unknown> {
  const resource = { attributes: pairs({ 'service.name': 'app' }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'lib' }, spans }] }] };
}

export function logsOf(...logRecords: unknown[]): Record<string, unknown> {
  const resource = { attributes: pairs({ 'service.name': 'app' }) };
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'lib' }, logRecords }] }] };
}

export interface Taken {
  outcome: Outcome;
  entries: Entry[];
}

export function openReceiver(broker: Broker, content = false): Receiver {
  return new Receiver({ broker, entryBytes: 65_536, bodyBytes: 16_777_216, content });
}

export async function stored(broker: Broker, channels = ['*']): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let after = 0; ; ) {
    const { items, next, done } = await broker.readPage({ channels, after, limit: 10_000 });
    entries.push(...items.flatMap(({ record }) => (record ? [record.entry] : [])));
    if (done) return entries.filter(({ event }) => event !== 'resource.seen');
    after = next;
  }
}

/** What a fresh gateway stores of one request. */
export async function take(
  signal: Signal,
  request: Record<string, unknown> | Buffer,
  {
    content = false,
    encoding = Buffer.isBuffer(request) ? 'protobuf' : 'json',
  }: { content?: boolean; encoding?: 'protobuf' | 'json' } = {},
): Promise<Taken> {
  const broker = new MemoryBroker(DEFAULT_RETENTION);
  try {
    const body = Buffer.isBuffer(request) ? request : Buffer.from(JSON.stringify(request));
    const outcome = await openReceiver(broker, content).receive({
      signal,
      body,
      encoding,
      packing: 'identity',
      access: OPEN_ACCESS,
      channel: undefined,
    });
    return { outcome, entries: await stored(broker) };
  } finally {
    await broker.close();
  }
}
