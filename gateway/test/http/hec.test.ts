// Splunk's HTTP Event Collector, as Docker's driver and others send to it: what they send is in the log, and they are answered as Splunk
// answers.

import { gzipSync } from 'node:zlib';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { stored } from '../otlp/requests.ts';
import { dockerEvents, send } from '../shippers/requests.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(() => gateway.close());

const TOKEN = { authorization: 'Splunk none' };
const MS = 1_795_928_628_573;
const event = (body: string | Buffer, headers: Record<string, string> = TOKEN, path = '/event/1.0') =>
  send(`${gateway.url}/services/collector${path}`, body, headers);
const kept = (...channels: string[]) => stored(gateway.broker, channels);
const SUCCESS = '{"text":"Success","code":0}';

describe('Docker', () => {
  it('is answered before a container starts, without a token and under any name', async () => {
    expect(
      await send(`${gateway.url}/services/collector/event/1.0`, '', { host: 'logs.example:8000' }, 'OPTIONS'),
    ).toMatchObject({ status: 200, text: SUCCESS });
  });

  it('puts the lines of a container on the channel of its tag', async () => {
    const lines = ['plain', 'ERROR: boom', '{"level":40,"msg":"slow","ms":7}'];
    expect(await event(dockerEvents(lines))).toMatchObject({ status: 200, text: SUCCESS });
    const attrs = { stream: 'stdout', 'container.name': 'web', 'host.name': 'vm' };
    expect(await kept('logs:web')).toMatchObject([
      { time: MS, source: 'web', level: 'info', msg: 'plain', attrs },
      { time: MS, source: 'web', level: 'error', msg: 'ERROR: boom', attrs },
      { time: MS, source: 'web', level: 'warn', msg: 'slow', attrs: { ...attrs, ms: 7 } },
    ]);
  });

  it('has its lines as objects (splunk-format=json), packed (splunk-gzip)', async () => {
    const body = gzipSync(dockerEvents([{ level: 50, message: 'boom', user: 'u1' }]));
    expect(await event(body, { ...TOKEN, 'content-encoding': 'gzip' })).toMatchObject({ status: 200 });
    expect(await kept('logs:web')).toMatchObject([{ level: 'error', msg: 'boom', attrs: { user: 'u1' } }]);
  });

  it.each<[string, object, object, string]>([
    ['a label of the container', { attrs: { 'llm-streamer.channel': 'logs:mine' } }, {}, 'logs:mine'],
    ['the compose service', { attrs: { 'com.docker.compose.service': 'api' } }, {}, 'logs:api'],
    ['the index', {}, { index: 'shop' }, 'logs:shop'],
    ['the index as a channel', {}, { index: 'events:shop' }, 'events:shop'],
    ['no name but the id of the container', { tag: '93d97cac730e' }, {}, 'logs:splunk'],
  ])('names the channel by %s', async (_, more, envelope, channel) => {
    const [one] = [JSON.parse(dockerEvents(['x'], more)) as object];
    await event(JSON.stringify({ ...one, ...envelope }));
    expect(await kept(channel)).toMatchObject([{ msg: 'x' }]);
  });

  it('that sends all it has kept while the log was away loses nothing, and doubles nothing that was stored', async () => {
    const lines = Array.from({ length: 1_000 }, (_, i) => `line ${i}`);
    const publish = gateway.broker.publish.bind(gateway.broker);
    let calls = 0;
    gateway.broker.publish = async (...given) => {
      if (++calls === 2) throw new BrokerUnavailable('the log cannot be reached');
      return publish(...given);
    };
    expect(await event(dockerEvents(lines.slice(0, 700)))).toMatchObject({
      status: 503,
      text: '{"text":"the log cannot be reached","code":9}',
      headers: { 'retry-after': '2' },
    });
    expect(await event(dockerEvents(lines))).toMatchObject({ status: 200 });
    expect((await kept('logs:web')).map(({ msg }) => msg)).toEqual(lines);
  });
});

describe('other senders', () => {
  it('send texts, objects, numbers and lists as events, with fields', async () => {
    const events = [
      { event: 'a text', host: 'h1', sourcetype: 'app', fields: { region: 'eu' } },
      { event: { message: 'an object', severity: 'warning', user: 'u1' }, time: 1_795_928_628.573 },
      { event: 7 },
      { event: [1, 2] },
    ];
    await event(events.map((one) => JSON.stringify(one)).join('\n'), TOKEN, '');
    expect(await kept('logs:splunk')).toMatchObject([
      { msg: 'a text', source: 'h1', attrs: { region: 'eu', 'splunk.sourcetype': 'app', 'host.name': 'h1' } },
      { msg: 'an object', level: 'warn', time: MS, attrs: { user: 'u1' } },
      { msg: '7' },
      { msg: '{"value":[1,2]}' },
    ]);
  });

  it('send raw lines, to the index that the query names', async () => {
    const answer = await event('one\n\nERROR: two\r\n', TOKEN, '/raw?index=shop&host=h1&channel=8f7a9e2c');
    expect(answer).toMatchObject({ status: 200, text: SUCCESS });
    expect(await kept('logs:shop')).toMatchObject([
      { msg: 'one', source: 'h1' },
      { msg: 'ERROR: two', level: 'error' },
    ]);
  });

  it('send the same untimed events again after the log was away, and they are stored once; later, they are others', async () => {
    const body = Array.from({ length: 600 }, (_, i) => `{"event":"e${i}"}`).join('');
    const publish = gateway.broker.publish.bind(gateway.broker);
    let calls = 0;
    gateway.broker.publish = async (...given) => {
      if (++calls === 2) throw new BrokerUnavailable('the log cannot be reached');
      return publish(...given);
    };
    expect((await event(body)).status).toBe(503);
    expect((await event(body)).status).toBe(200);
    expect(await kept('logs:splunk')).toHaveLength(600);
    expect((await event(body)).status).toBe(200);
    expect(await kept('logs:splunk')).toHaveLength(1_200);
  });

  it('send events with a time again because the answer was lost, and they are stored once', async () => {
    const body = Array.from({ length: 600 }, (_, i) => `{"event":"e${i}","time":${1_795_928_628 + i}}`).join(
      '',
    );
    for (let i = 0; i < 2; i++) expect((await event(body)).status).toBe(200);
    expect(await kept('logs:splunk')).toHaveLength(600);
  });

  it('ask for its health', async () => {
    expect(await send(`${gateway.url}/services/collector/health`, '', {}, 'GET')).toMatchObject({
      status: 200,
      text: '{"text":"HEC is healthy","code":17}',
    });
  });
});

describe('is refused with the code of Splunk:', () => {
  it.each<[string, string | Buffer, number, object]>([
    ['nothing', '', 400, { text: 'No data', code: 5 }],
    [
      'no JSON',
      '{"event":"a"}{"event":',
      400,
      { text: 'Invalid data format', code: 6, 'invalid-event-number': 1 },
    ],
    ['no object', '"a"', 400, { code: 6, 'invalid-event-number': 0 }],
    ['no event', '{"event":"a"}{"time":1}', 400, { code: 12, 'invalid-event-number': 1 }],
    ['an empty event', '{"event":""}', 400, { code: 13, 'invalid-event-number': 0 }],
    ['a reserved channel', '{"event":"a","index":"runs:1"}', 400, { code: 6 }],
    ['over 20,000 events', '{"event":"a"}'.repeat(20_001), 413, { code: 27 }],
    ['one event of over 4 MiB', `{"event":"${'x'.repeat(4_194_304)}"}`, 413, { code: 27 }],
    ['a body of over 16 MiB', Buffer.alloc(17 * 1_048_576, ' '), 413, { code: 27 }],
  ])('%s', async (_, body, status, answer) => {
    const sent = await event(body);
    expect([sent.status, JSON.parse(sent.text)]).toMatchObject([status, answer]);
    expect(sent.headers['retry-after']).toBeUndefined();
    expect((await kept('*')).filter(({ channel }) => channel !== 'logs:gateway')).toEqual([]);
  });

  it('an event with more values than an entry may have is shown as text, and costs the others nothing', async () => {
    const wide = JSON.stringify({
      event: Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`k${i}`, i])),
    });
    expect(await event(`${wide}{"event":"next"}`)).toMatchObject({ status: 200 });
    expect((await kept('logs:splunk')).map(({ msg }) => msg.slice(0, 15))).toEqual([
      '{"event":{"k0":',
      'next',
    ]);
  });

  it('an event nested a thousand deep loses its depth, and nothing else', async () => {
    const deep = `${'{"a":'.repeat(1_000)}1${'}'.repeat(1_000)}`;
    for (const body of [`{"event":{"message":"m","deep":${deep}}}`, `{"event":"m","fields":${deep}}`])
      expect(await event(body)).toMatchObject({ status: 200 });
    expect(await kept('logs:splunk')).toMatchObject([
      { msg: 'm', attrs: { cut: expect.stringContaining('deep') } },
      { msg: 'm', attrs: { cut: expect.stringContaining('deep') } },
    ]);
  });
});
