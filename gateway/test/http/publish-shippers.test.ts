// POST /api/publish as shippers use it that cannot be told what to send: compressed, of any shape, and more than a batch.

import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { stored } from '../otlp/requests.ts';

let gateway: TestGateway;
let channels = 0;
const fresh = () => `logs:wide-${++channels}`;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const post = async (channel: string, body: string | Buffer, headers: Record<string, string> = {}) => {
  const response = await fetch(`${gateway.url}/api/publish?channel=${channel}`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
};

const kept = (channel: string) => stored(gateway.broker, [channel]);
const msgs = async (channel: string) => (await kept(channel)).map(({ msg }) => msg);

const records = (count: number, more = '') =>
  Array.from({ length: count }, (_, i) => `{"date":${1_795_928_430 + i}.25,"log":"line ${i}"${more}}`);
const lines = (count: number) => Array.from({ length: count }, (_, i) => `line ${i}`);

describe('a compressed body', () => {
  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['zstd', zstdCompressSync],
  ])('in %s is taken', async (encoding, compress) => {
    const channel = fresh();
    const { status } = await post(channel, compress('[{"msg":"a"},{"msg":"b"}]'), {
      'content-encoding': encoding,
    });
    expect(status).toBe(200);
    expect(await msgs(channel)).toEqual(['a', 'b']);
  });

  it('that is not packed as its header says is refused', async () => {
    expect(await post(fresh(), '{"msg":"a"}', { 'content-encoding': 'gzip' })).toMatchObject({
      status: 400,
      answer: { code: 'invalid_body' },
    });
  });

  it('that unpacks to more than 16 MiB is refused, and nothing of it is taken', async () => {
    const channel = fresh();
    const bomb = gzipSync(Buffer.alloc(64 * 1_048_576, ' '));
    expect(await post(channel, bomb, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 413,
      answer: { code: 'body_too_large' },
    });
    expect(await kept(channel)).toEqual([]);
  });
});

describe('a body of any shape', () => {
  it.each<[string, string]>([
    ['an array, as Fluent Bit sends by default', `[${records(3).join(',')}]`],
    ['lines of JSON', records(3).join('\n')],
    ['objects with nothing between them (json_stream)', records(3).join('')],
    [
      'pairs of time and record',
      `[${records(3).map((one, i) => `[${1_795_928_430 + i}.25,${one.replace(/"date":[^,]*,/, '')}]`)}]`,
    ],
    [
      'pairs with metadata',
      `[${records(3).map((one, i) => `[[${1_795_928_430 + i}.25,{}],${one.replace(/"date":[^,]*,/, '')}]`)}]`,
    ],
  ])('%s', async (_, body) => {
    const channel = fresh();
    expect((await post(channel, body)).answer).toMatchObject({ ids: { length: 3 } });
    const entries = await kept(channel);
    expect(entries.map(({ msg, time }) => [msg, time])).toEqual(
      lines(3).map((line, i) => [line, 1_795_928_430_250 + i * 1_000]),
    );
  });

  it('an array of texts is a line each, with the level that it names', async () => {
    const channel = fresh();
    await post(channel, '["ERROR: boom","{\\"level\\":40,\\"msg\\":\\"slow\\"}","plain"]');
    expect((await kept(channel)).map(({ level, msg }) => [level, msg])).toEqual([
      ['error', 'ERROR: boom'],
      ['warn', 'slow'],
      ['info', 'plain'],
    ]);
  });

  it('a record that is not valid refuses all by its place, and with handling=lenient is shown as it is', async () => {
    const body = `${records(1).join('')}\n{"log":"x","level":{"n":1},"run":17}\nno JSON`;
    const strict = fresh();
    expect(await post(strict, body)).toMatchObject({ status: 422, answer: { code: 'invalid_entry' } });
    expect(await kept(strict)).toEqual([]);
    const lenient = fresh();
    expect((await post(lenient, body, { prefer: 'handling=lenient' })).status).toBe(200);
    expect(await kept(lenient)).toMatchObject([
      { msg: 'line 0' },
      { msg: 'x', attrs: { level: { n: 1 }, run: 17 } },
      { msg: 'no JSON' },
    ]);
  });

  it('with handling=lenient a word of another program that is called channel is no channel', async () => {
    const channel = fresh();
    await post(channel, '[{"log":"x","channel":"#general chat"}]', { prefer: 'handling=lenient' });
    expect(await msgs(channel)).toEqual(['x']);
    expect(
      await post(channel, '[{"log":"x","channel":"runs:1"}]', { prefer: 'handling=lenient' }),
    ).toMatchObject({ status: 422, answer: { code: 'channel_reserved' } });
  });
});

describe('more than a batch', () => {
  it.each<[string, string, Record<string, string>]>([
    ['an array', `[${records(1_701).join(',\n')}]`, {}],
    ['NDJSON', records(1_701).join('\n'), { 'content-type': 'application/x-ndjson' }],
    ['objects with nothing between them', records(1_701).join(''), {}],
    ['lines of text', lines(1_701).join('\n'), { 'content-type': 'text/plain' }],
    ['an array of over a megabyte', `[${records(1_701, `,"pad":"${'x'.repeat(1_000)}"`).join()}]`, {}],
  ])('%s is stored in order', async (_, body, headers) => {
    const channel = fresh();
    expect(await post(channel, body, headers)).toEqual({ status: 200, answer: { stored: 1_701 } });
    expect(await msgs(channel)).toEqual(lines(1_701));
  });

  it('one entry that is not valid refuses all of it, and its place is named', async () => {
    const channel = fresh();
    const body = `[${[...records(900), '{"msg":7}', ...records(10)].join()}]`;
    expect(await post(channel, body)).toMatchObject({
      status: 422,
      answer: { code: 'invalid_entry', field: '[900].msg' },
    });
    expect(await kept(channel)).toEqual([]);
  });

  it('over 20,000 entries are refused', async () => {
    expect(await post(fresh(), `[${Array(20_001).fill('"x"').join()}]`)).toMatchObject({
      status: 413,
      answer: { code: 'batch_too_large' },
    });
  });

  it('what could not be stored goes on where it stopped when the same comes again, also without times', async () => {
    const channel = fresh();
    const body = `[${lines(1_200)
      .map((line) => JSON.stringify({ msg: line }))
      .join()}]`;
    const publish = gateway.broker.publish.bind(gateway.broker);
    let calls = 0;
    gateway.broker.publish = async (...given) => {
      if (++calls === 2) throw new BrokerUnavailable('the log cannot be reached');
      return publish(...given);
    };
    expect(await post(channel, body)).toMatchObject({ status: 503, answer: { code: 'broker_unavailable' } });
    expect(await kept(channel)).toHaveLength(500);
    expect((await post(channel, body)).answer).toEqual({ stored: 1_200 });
    gateway.broker.publish = publish;
    expect(await msgs(channel)).toEqual(lines(1_200));
  });

  it('the same request twice is stored twice, as long as the first one was answered', async () => {
    const channel = fresh();
    const body = `[${records(600).join()}]`;
    await post(channel, body);
    await post(channel, body);
    expect(await kept(channel)).toHaveLength(1_200);
  });
});
