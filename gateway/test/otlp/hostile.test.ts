// Hostile requests: whatever the bytes are, the answer is an outcome or a coded error, in bounded time and memory, and the two encodings
// of one request give the same entries.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OPEN_ACCESS } from '../../src/auth/access.ts';
import { type Field, type Message, REQUESTS, SIGNALS } from '../../src/otlp/messages.ts';
import {
  any,
  logsOf,
  nanos,
  openReceiver,
  pairs,
  span,
  spansOf,
  stored,
  T0,
  TRACE,
  take,
} from './requests.ts';

/** The protobuf of a request that is given in the form of OTLP's JSON. */
function encode(message: Message, object: Record<string, unknown>): Buffer {
  const writer = new BinaryWriter();
  for (const [number, field] of Object.entries(message)) {
    const value = object[field.name];
    for (const one of field.repeated ? ((value as unknown[]) ?? []) : value === undefined ? [] : [value])
      write(writer, Number(number), field, one);
  }
  return Buffer.from(writer.finish());
}

function write(writer: BinaryWriter, number: number, { type }: Field, value: unknown): void {
  if (typeof type !== 'string')
    return void writer
      .tag(number, WireType.LengthDelimited)
      .bytes(encode(type, value as Record<string, unknown>));
  switch (type) {
    case 'text':
      return void writer.tag(number, WireType.LengthDelimited).string(value as string);
    case 'hex':
    case 'base64':
      return void writer.tag(number, WireType.LengthDelimited).bytes(Buffer.from(value as string, type));
    case 'int64':
      return void writer.tag(number, WireType.Varint).int64(value as string);
    case 'uint32':
      return void writer.tag(number, WireType.Varint).uint32(value as number);
    case 'bool':
      return void writer.tag(number, WireType.Varint).bool(value as boolean);
    case 'fixed64':
      return void writer.tag(number, WireType.Bit64).fixed64(value as string);
    case 'sfixed64':
      return void writer.tag(number, WireType.Bit64).sfixed64(value as string);
    case 'double':
      return void writer.tag(number, WireType.Bit64).double(value as number);
  }
}

const outcomeOf = async (...args: Parameters<typeof take>) => {
  try {
    return await take(...args);
  } catch (error) {
    if (error instanceof CodedError) return { code: error.code };
    throw error;
  }
};

const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((one) => !Number.isInteger(one)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.string({ minLength: 1 }), fc.constant('__proto__')), tie('value'), {
      maxKeys: 3,
    }),
  ),
})).value as fc.Arbitrary<unknown>;

describe('both encodings', () => {
  it('of one request give the same entries', async () => {
    await fc.assert(
      fc.asyncProperty(
        values,
        fc.dictionary(fc.string({ minLength: 1 }), values, { maxKeys: 5 }),
        async (body, attributes) => {
          const request = logsOf({
            timeUnixNano: nanos(T0),
            traceId: TRACE,
            severityNumber: 9,
            body: any(body),
            attributes: pairs(attributes),
          });
          const json = await take('logs', request);
          const binary = await take('logs', encode(REQUESTS.logs, request));
          expect(binary.outcome).toEqual(json.outcome);
          const bare = ({ entries }: typeof json) =>
            entries.map(({ id: _, log: __, prev: ___, ...rest }) => rest);
          expect(bare(binary)).toEqual(bare(json));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('keep 64-bit numbers that are too long for JSON as texts', async () => {
    const attributes = ['9223372036854775807', '-9223372036854775808', '17'].map((intValue, i) => ({
      key: `n${i}`,
      value: { intValue },
    }));
    const request = logsOf({ timeUnixNano: nanos(T0), body: any('x'), attributes });
    for (const one of [request, encode(REQUESTS.logs, request)])
      expect((await take('logs', one)).entries[0]?.attrs).toMatchObject({
        n0: '9223372036854775807',
        n1: '-9223372036854775808',
        n2: 17,
      });
  });
});

describe('bytes', () => {
  const whole = encode(REQUESTS.traces, spansOf(span({ attributes: { a: 'b', list: [1, { c: true }] } })));

  it('of any kind give an outcome or a code', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(...SIGNALS),
        async (bytes, signal) => {
          const found = await outcomeOf(signal, Buffer.from(bytes));
          if ('code' in found) expect(found.code).toBe('invalid_otlp');
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('of a request that was cut or changed give an outcome or a code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.boolean(), async (at, byte, isCut) => {
        const bytes = isCut ? whole.subarray(0, at) : Buffer.from(whole);
        if (!isCut) bytes[at] = byte;
        const found = await outcomeOf('traces', bytes);
        if ('code' in found) expect(found.code).toBe('invalid_otlp');
      }),
      { numRuns: 1_000 },
    );
  });

  it('that are no UTF-8 cost a character, never the request', async () => {
    const bytes = Buffer.from(encode(REQUESTS.logs, logsOf({ body: any('bad: AB') })));
    bytes.write('\xff\xfe', bytes.indexOf('AB'), 'latin1');
    expect((await take('logs', bytes)).entries).toMatchObject([{ msg: 'bad: \ufffd\ufffd' }]);
  });

  it('that are a million empty messages are refused', async () => {
    const empty = Buffer.alloc(1_000_000, Buffer.from([0x0a, 0x00]));
    expect(await outcomeOf('logs', empty)).toEqual({ code: 'batch_too_large' });
  });

  it('that nest a value 100,000 deep lose only its depth', async () => {
    let value: Buffer = encode({ 1: { name: 's', type: 'text' } }, { s: 'deep' });
    for (let i = 0; i < 100_000 && value.length < 400_000; i++) {
      const list = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(value).finish();
      value = Buffer.from(new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(list).finish());
      if (i > 2_000) break; // each level copies all levels inside
    }
    const record = Buffer.from(new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(value).finish());
    const wrap = (number: number, inner: Buffer) =>
      Buffer.from(new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(inner).finish());
    const { entries } = await take('logs', wrap(1, wrap(2, wrap(2, record))));
    expect(entries).toHaveLength(1);
    expect(JSON.stringify(entries)).toContain('nested too deep');
  });
});

it.each([
  [
    'a group',
    Buffer.concat([Buffer.from([0x7b]), Buffer.alloc(2_000, Buffer.from([0x08, 0x00])), Buffer.from([0x7c])]),
  ],
  ['a group without an end', Buffer.from([0x7b, 0x08])],
  ['the end of a group', Buffer.from([0x7c])],
])('%s of protobuf is refused, since nothing counts what is in it', async (_, bytes) => {
  expect(await outcomeOf('logs', bytes)).toEqual({ code: 'invalid_otlp' });
});

describe('resources and scopes', () => {
  afterEach(() => void vi.restoreAllMocks());

  const LEVELS = {
    logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
    traces: ['resourceSpans', 'scopeSpans', 'spans'],
    metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  } as const;
  type Kind = keyof typeof LEVELS;

  /** @param shape of each resource, the number of records of each of its scopes; a metric has five points */
  function requestOf(kind: Kind, shape: readonly (readonly number[])[], attributes: object[]) {
    const [resources, scopes, records] = LEVELS[kind];
    const points = Array.from({ length: 5 }, (_, i) => ({ asInt: i, timeUnixNano: nanos(T0) }));
    const record = {
      logs: { body: any('x') },
      traces: span({}),
      metrics: { name: 'gen_ai.x', gauge: { dataPoints: points } },
    }[kind];
    return {
      [resources]: shape.map((counts) => ({
        resource: { attributes },
        [scopes]: counts.map((count) => ({ [records]: Array(count).fill(record) })),
      })),
    };
  }

  const large = pairs(
    Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, 'x'.repeat(2_000)])),
  );

  it('are asked for a pause one by one, like records and points, and a resource is read once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('logs' as const, 'traces' as const, 'metrics' as const),
        fc.array(fc.array(fc.oneof(fc.constant(0), fc.nat(3)), { maxLength: 60 }), { maxLength: 4 }),
        async (kind, shape) => {
          const body = JSON.stringify(requestOf(kind, shape, large));
          const asked = vi.spyOn(TimeSlicer.prototype, 'pauseIfDue');
          const made = vi.spyOn(JSON, 'stringify');
          await take(kind, Buffer.from(body), { encoding: 'json' });
          const written = made.mock.results.reduce((sum, { value }) => sum + String(value).length, 0);
          const scopes = shape.flat();
          const records = scopes.reduce((sum, count) => sum + count, 0);
          const steps = shape.length + scopes.length + records + (kind === 'metrics' ? 5 * records : 0);
          expect(asked.mock.calls.length).toBeGreaterThanOrEqual(steps);
          expect(written).toBeLessThan(3 * body.length + 2_000 * records);
          vi.restoreAllMocks();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are counted, also where there is no record in them', async () => {
    const groups = { resourceLogs: [{ scopeLogs: Array(20_000).fill({}) }] };
    expect(await outcomeOf('logs', groups)).toEqual({ code: 'batch_too_large' });
    expect(await outcomeOf('logs', { resourceLogs: Array(20_001).fill({}) })).toEqual({
      code: 'batch_too_large',
    });
    expect(await outcomeOf('logs', { resourceLogs: Array(20_000).fill({}) })).not.toHaveProperty('code');
  });

  it('are remembered by a digest, however large they are', async () => {
    const kept = vi.spyOn(Set.prototype, 'add');
    const name = { key: 'service.name', value: any('n'.repeat(10_000)) };
    await take('logs', requestOf('logs', [[1]], [name, ...large]));
    await take('metrics', {
      resourceMetrics: [
        {
          resource: { attributes: [name] },
          scopeMetrics: [{ metrics: [{ name: 'http.x', gauge: { dataPoints: [{ asInt: 1 }] } }] }],
        },
      ],
    });
    const texts = kept.mock.calls.flatMap(([one]) => (typeof one === 'string' ? [one.length] : []));
    expect(Math.max(0, ...texts)).toBeLessThan(1_000);
  });

  it('tell of themselves no more than an entry holds, and entries carry little of that', async () => {
    const broker = new MemoryBroker(DEFAULT_RETENTION);
    const receiver = openReceiver(broker);
    const attributes = pairs({
      'service.name': 'app',
      'service.version': 'v'.repeat(16_000),
      'host.name': { a: 'h'.repeat(16_000) },
      ...Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, 'x'.repeat(16_000)])),
    });
    const body = Buffer.from(JSON.stringify(requestOf('logs', [[1]], attributes)));
    const rest = { signal: 'logs', encoding: 'json', packing: 'identity', channel: undefined } as const;
    const made = vi.spyOn(JSON, 'stringify');
    await receiver.receive({ ...rest, body, access: OPEN_ACCESS });
    const longest = Math.max(...made.mock.results.map(({ value }) => String(value).length));
    expect(longest).toBeLessThan(400_000);
    const [entry] = await stored(broker);
    expect(JSON.stringify(entry?.attrs).length).toBeLessThan(1_200);
    expect(entry?.attrs).not.toHaveProperty('host.name');
    expect(entry?.attrs?.['service.version']).toMatch(/^v{1000}… \[cut: 16000 bytes\]$/);
    await broker.close();
  });

  it('whose entries together are over 64 MiB are refused', async () => {
    const carried = ['service.version', 'k8s.namespace.name', 'k8s.pod.name', 'container.name', 'host.name'];
    const attributes = pairs(Object.fromEntries(carried.map((key) => [key, 'x'.repeat(1_000)])));
    expect(await outcomeOf('logs', requestOf('logs', [[15_000]], attributes))).toEqual({
      code: 'batch_too_large',
    });
  });
});

it('an attribute `toString` makes no text of an object impossible', async () => {
  const attributes = pairs({ a: { toString: 1, valueOf: 1 } });
  const metrics = [
    { name: 'gen_ai.x', gauge: { dataPoints: [{ asInt: 1, attributes }] } },
    { name: 'http.x', gauge: { dataPoints: [{ asInt: 1 }] } },
  ];
  const named = [{ key: 'service.name', value: any({ toString: 1 }) }];
  const { outcome, entries } = await take('metrics', {
    resourceMetrics: [{ resource: { attributes: named }, scopeMetrics: [{ metrics }] }],
  });
  expect(outcome).toMatchObject({ accepted: 1, ignored: 1 });
  expect(entries[0]?.attrs).toHaveProperty(['gen_ai.x{a={"toString":1,"valueOf":1}}'], 1);
});

describe('JSON', () => {
  it('of any shape gives an outcome or a code', async () => {
    const wrong = fc.oneof(
      fc.json().map((text) => JSON.parse(text) as unknown),
      values,
    );
    await fc.assert(
      fc.asyncProperty(wrong, wrong, fc.constantFrom(...SIGNALS), async (inner, other, signal) => {
        for (const request of [
          inner,
          { resourceLogs: inner, resourceSpans: [inner], resourceMetrics: [{ scopeMetrics: [inner] }] },
          logsOf(inner, {
            body: other,
            attributes: inner,
            timeUnixNano: other,
            traceId: inner,
            severityNumber: other,
          }),
          spansOf(inner, span({ more: { status: inner, events: [other], kind: inner, name: other } })),
          {
            resourceMetrics: [
              { scopeMetrics: [{ metrics: [inner, { name: 'gen_ai.x', sum: { dataPoints: [other] } }] }] },
            ],
          },
        ]) {
          const found = await outcomeOf(signal, request as Record<string, unknown>, { encoding: 'json' });
          if ('code' in found) expect(found.code).toBe('invalid_otlp');
        }
      }),
      { numRuns: 200 },
    );
  });

  it('that is one object of 100,000 names is refused before it is parsed', async () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, 1]));
    expect(await outcomeOf('logs', wide)).toEqual({ code: 'batch_too_large' });
    expect(await outcomeOf('logs', { resourceLogs: [{ resource: wide }] })).toEqual({
      code: 'batch_too_large',
    });
  });

  it('nested 100,000 deep gives an outcome', async () => {
    const deep = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${'{"arrayValue":{"values":['.repeat(50_000)}{}${']}}'.repeat(50_000)}}]}]}]}`;
    const broker = new MemoryBroker(DEFAULT_RETENTION);
    const post = { signal: 'logs', body: Buffer.from(deep), encoding: 'json', packing: 'identity' } as const;
    const outcome = await openReceiver(broker)
      .receive({ ...post, access: OPEN_ACCESS, channel: undefined })
      .catch((error: CodedError) => error.code);
    expect(['invalid_otlp', 'batch_too_large']).toContain(
      typeof outcome === 'string' ? outcome : 'invalid_otlp',
    );
    await broker.close();
  });

  it('with __proto__ as a key has it as an attribute, and nothing else changes', async () => {
    const text = '{"key":"__proto__","value":{"stringValue":"x"}}';
    const request = JSON.parse(
      JSON.stringify(logsOf({ body: any('x'), attributes: ['HERE'] })).replace('"HERE"', text),
    );
    const { entries } = await take('logs', request);
    expect(Object.getOwnPropertyDescriptor(entries[0]?.attrs, '__proto__')?.value).toBe('x');
    expect(Object.prototype).not.toHaveProperty('stringValue');
  });

  it('of a million attributes is refused, and of thousands the first are kept and the others counted', async () => {
    const many = (count: number) =>
      logsOf({
        body: any('x'),
        attributes: Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: any(i) })),
      });
    expect(await outcomeOf('logs', many(300_000))).toEqual({ code: 'batch_too_large' });
    const { entries } = await take('logs', many(5_000));
    expect(entries[0]?.attrs).toMatchObject({ k0: 0, k255: 255, cut_attributes: 4_744 });
  });
});

it('no text makes the masks of credentials slow', async () => {
  for (const piece of [':', '://', '://a:', 'sk-', 'Bearer ', '@', '://a:b'])
    await take('logs', logsOf({ body: any(piece.repeat(1_000_000 / piece.length)) }));
}, 10_000);
