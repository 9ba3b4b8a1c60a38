// POST /loki/api/v1/push: what senders of Loki's protocol push is in the log, and they are answered as Loki answers.

import { deflateSync, gzipSync } from 'node:zlib';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import snappyjs from 'snappyjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { readProtobufPush } from '../../src/shippers/loki-push.ts';
import { textOf } from '../../src/shippers/unpack.ts';
import { stored } from '../otlp/requests.ts';
import { lokiPush, send, WINSTON_LOKI } from '../shippers/requests.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(() => gateway.close());

const NS = '1795928628573227000';
const MS = 1_795_928_628_573;
const JSON_TYPE = { 'content-type': 'application/json' };
const push = (body: string | Buffer, headers: Record<string, string> = JSON_TYPE) =>
  send(`${gateway.url}/loki/api/v1/push`, body, headers);
const snappyOf = (bytes: Uint8Array) => Buffer.from(snappyjs.compress(new Uint8Array(bytes)));
const kept = (...channels: string[]) => stored(gateway.broker, channels);

describe('what is pushed', () => {
  it('as JSON is answered with 204, and is on the channel of its service', async () => {
    const labels = { service_name: 'shop', pod: 'shop-7', namespace: 'prod', level: 'warning' };
    const body = lokiPush({
      labels,
      values: [
        [NS, 'the cart is full'],
        [NS, '{"msg":"slow","ms":7}'],
      ],
    });
    expect(await push(body)).toMatchObject({ status: 204, text: '' });
    const attrs = { service_name: 'shop', pod: 'shop-7', namespace: 'prod' };
    expect(await kept('logs:shop')).toMatchObject([
      { time: MS, source: 'shop-7', level: 'warn', msg: 'the cart is full', attrs },
      { time: MS, source: 'shop-7', level: 'warn', msg: 'slow', attrs: { ...attrs, ms: 7 } },
    ]);
  });

  it('as protobuf by winston-loki, byte for byte, is the same', async () => {
    expect(await push(WINSTON_LOKI, { 'content-type': 'application/x-protobuf' })).toMatchObject({
      status: 204,
    });
    expect(await kept('logs:winston-falsefalse')).toMatchObject([
      { level: 'info', msg: 'winston info ü {"user":7,"level":"info"}', time: 1_795_964_216_848 },
      { level: 'error', msg: 'winston error false {"level":"error"}', time: 1_795_964_216_849 },
    ]);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ])('is unpacked: %s', async (encoding, compress) => {
    const body = lokiPush({ labels: { job: 'a' }, values: [[NS, 'x']] });
    expect(await push(compress(body), { ...JSON_TYPE, 'content-encoding': encoding })).toMatchObject({
      status: 204,
    });
    expect(await kept('logs:a')).toHaveLength(1);
  });

  it('as protobuf says snappy of its encoding, as some senders do', async () => {
    expect(await push(WINSTON_LOKI, { 'content-encoding': 'snappy' })).toMatchObject({ status: 204 });
  });

  it('with structured metadata has it as attributes, its level and its trace as the run', async () => {
    const metadata = { trace_id: '0af7651916cd43dd', user: 'u1', detected_level: 'error' };
    await push(lokiPush({ labels: { app: 'a' }, values: [[NS, 'x', metadata]] }));
    expect(await kept('logs:a')).toMatchObject([
      { level: 'error', run: '0af7651916cd43dd', attrs: { user: 'u1', app: 'a' } },
    ]);
  });

  it.each<[string, Record<string, string>, string]>([
    ['the label channel', { channel: 'logs:other', app: 'a' }, 'logs:other'],
    ['the service before the container', { container: 'c1', compose_service: 'web' }, 'logs:web'],
    ['no name at all', { region: 'eu' }, 'logs:loki'],
    ['a name with other characters', { app: 'my app/ü' }, 'logs:my_app__'],
    ["the name of one of the gateway's own channels", { app: 'gateway' }, 'logs:gateway-service'],
  ])('goes by %s', async (_, labels, channel) => {
    expect(await push(lokiPush({ labels, values: [[NS, 'x']] }))).toMatchObject({ status: 204 });
    expect(await kept(channel)).toMatchObject([{ msg: 'x' }]);
  });

  it('more than a batch is stored in order', async () => {
    const values = Array.from({ length: 1_300 }, (_, i) => [`${BigInt(NS) + BigInt(i)}`, `line ${i}`]);
    expect(await push(lokiPush({ labels: { app: 'a' }, values }))).toMatchObject({ status: 204 });
    expect((await kept('logs:a')).map(({ msg }) => msg)).toEqual(values.map(([, line]) => line));
  });
});

describe('what comes again', () => {
  const values = Array.from({ length: 700 }, (_, i) => [`${BigInt(NS) + BigInt(i)}`, 'the same line']);

  it('because its answer was lost is stored once', async () => {
    const body = lokiPush({ labels: { app: 'a' }, values });
    await push(body);
    await push(body);
    expect(await kept('logs:a')).toHaveLength(700);
  });

  it('after the log was away goes on where it stopped', async () => {
    const publish = gateway.broker.publish.bind(gateway.broker);
    let calls = 0;
    gateway.broker.publish = async (...given) => {
      if (++calls === 2) throw new BrokerUnavailable('the log cannot be reached');
      return publish(...given);
    };
    const body = lokiPush({ labels: { app: 'a' }, values });
    expect(await push(body)).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect(await push(body)).toMatchObject({ status: 204 });
    expect(await kept('logs:a')).toHaveLength(700);
  });

  it('with other nanoseconds is another line', async () => {
    for (const ns of ['000', '001']) {
      const body = lokiPush({ labels: { app: 'a' }, values: [[`1795928628573227${ns}`, 'x']] });
      await push(body);
    }
    expect(await kept('logs:a')).toHaveLength(2);
  });
});

describe('is refused in one line of text:', () => {
  const PROTOBUF = { 'content-type': 'application/x-protobuf' };
  const packed = (bytes: number[]) => snappyOf(Uint8Array.from(bytes));

  it.each<[string, string | Buffer, Record<string, string>, number]>([
    ['no JSON', '{"streams":[', JSON_TYPE, 400],
    ['JSON of another form', '{"resourceLogs":[]}', JSON_TYPE, 400],
    ['a value without a time', lokiPush({ labels: {}, values: [['x']] }), JSON_TYPE, 400],
    ['a line that is no text', '{"streams":[{"stream":{},"values":[["1",7]]}]}', JSON_TYPE, 400],
    ['what is not Snappy', Buffer.from('hello'), PROTOBUF, 400],
    ['what is not protobuf', packed([0x0a, 0xff, 0x01]), PROTOBUF, 400],
    ['a reserved channel', lokiPush({ labels: { channel: 'runs:1' }, values: [[NS, 'x']] }), JSON_TYPE, 400],
    ['a compression that is not known', 'x', { ...JSON_TYPE, 'content-encoding': 'br' }, 415],
    ['a bomb', gzipSync(Buffer.alloc(64 * 1_048_576)), { ...JSON_TYPE, 'content-encoding': 'gzip' }, 413],
    ['a length of gigabytes', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), PROTOBUF, 413],
    [
      'a stream of 20,000 labels',
      lokiPush({
        labels: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`l${i}`, 'x'])),
        values: [[NS, 'x']],
      }),
      JSON_TYPE,
      413,
    ],
    ['JSON nested without end', '['.repeat(100_000), JSON_TYPE, 413],
    ['a million values', `{"streams":[${'{},'.repeat(500_000)}{}]}`, JSON_TYPE, 413],
  ])('%s', async (_, body, headers, status) => {
    const answer = await push(body, headers);
    expect(answer).toMatchObject({ status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(answer.text).toMatch(/^[^\n{]{5,200}.*\n$/);
    expect(answer.headers['retry-after']).toBeUndefined();
    expect((await kept('*')).filter(({ channel }) => channel !== 'logs:gateway')).toEqual([]);
  });

  it('labels that are repeated on so many lines that they would fill the memory', async () => {
    const labels = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`l${i}`, 'x'.repeat(1_000)]));
    const values = Array.from({ length: 2_000 }, () => [NS, 'x']);
    expect(await push(lokiPush({ labels, values }))).toMatchObject({ status: 413 });
  });

  /** A field of protobuf. */
  const text = (field: number, ...parts: (Buffer | string)[]) => {
    const value = Buffer.concat(parts.map((part) => Buffer.from(part)));
    return Buffer.concat([
      Buffer.from([(field << 3) | 2, (value.length & 0x7f) | 0x80, value.length >> 7]),
      value,
    ]);
  };
  const stream = (labels: string, line: string, ...metadata: Buffer[]) =>
    text(1, text(1, labels), text(2, text(2, line), ...metadata));

  it('labels of over 4 MiB in all, and those of streams without lines are not read', async () => {
    const labels = `{a="${'x'.repeat(16_000)}"}`;
    const empty = Buffer.concat(Array.from({ length: 300 }, () => text(1, text(1, labels))));
    const full = Buffer.concat(Array.from({ length: 300 }, () => stream(labels, 'x')));
    expect(await push(snappyOf(empty), PROTOBUF)).toMatchObject({ status: 204 });
    expect(await push(snappyOf(full), PROTOBUF)).toMatchObject({ status: 413 });
  });

  it('nothing: the labels of many streams are read while others have their turns', async () => {
    const labels = `{${Array.from({ length: 250 }, (_, i) => `l${i}="${'\\n'.repeat(25)}"`)}}`;
    const body = snappyOf(Buffer.concat(Array.from({ length: 280 }, () => stream(labels, 'x'))));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const streams = await readProtobufPush(body, new TimeSlicer());
    clearInterval(timer);
    expect(streams.map((one) => one.labels?.size)).toEqual(Array.from({ length: 280 }, () => 250));
    expect(turns).toBeGreaterThan(2);
  });

  it('nothing: a body that is no UTF-8 is decoded as ever, while others have their turns', async () => {
    const body = Buffer.from([0xef, 0xbb, 0xbf, ...Buffer.from('é€😀'), 0xe2, 0x82]);
    const large = Buffer.concat(Array.from({ length: 400_000 }, () => body));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const text = await textOf(large, new TimeSlicer());
    clearInterval(timer);
    expect(text === large.toString('utf8')).toBe(true);
    expect(turns).toBeGreaterThan(2);
  });

  it('a line with over 256 values of structured metadata', async () => {
    const metadata = Array.from({ length: 257 }, (_, i) => text(3, text(1, `k${i}`), text(2, 'v')));
    expect(await push(packed([...stream('{job="a"}', 'x', ...metadata)]), PROTOBUF)).toMatchObject({
      status: 413,
    });
  });

  it.each<[string, string]>([
    ['cannot be read', '{job="a"b"}'],
    ['are too many', `{${Array.from({ length: 257 }, (_, i) => `l${i}="x"`)}}`],
  ])('a stream whose labels %s costs the others nothing, and the gateway says it', async (_, labels) => {
    const both = Buffer.concat([stream(labels, 'lost'), stream('{job="good"}', 'kept')]);
    const answer = await push(packed([...both]), PROTOBUF);
    expect(answer).toMatchObject({
      status: 400,
      text: '1 of 2 entries refused: the labels of a stream must look like {job="api"}; the other 1 are stored\n',
    });
    expect((await kept('logs:good')).map(({ msg }) => msg)).toEqual(['kept']);
    expect((await kept('logs:gateway')).map(({ msg }) => msg)).toContainEqual(
      expect.stringContaining('log shippers: loki of 127.0.0.1 refused, which may drop it: invalid_entry'),
    );
  });
});
