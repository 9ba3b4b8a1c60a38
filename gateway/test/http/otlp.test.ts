// OTLP over HTTP with the official exporters of Node: what they send is in the log, and what they are answered is what they understand.

import { request } from 'node:http';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { DiagLogLevel, diag, SeverityNumber } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { pairs } from '../otlp/requests.ts';
import { type Encoding, openSender, type Sender, sendAgentRun } from '../otlp/senders.ts';

let gateway: TestGateway;
const senders: Sender[] = [];
afterEach(async () => {
  await Promise.all(senders.splice(0).map((one) => one.close()));
  await gateway.close();
});

const open = async (env: Record<string, string> = {}) => {
  gateway = await openGateway(env);
};
const sender = (
  ...[options]: Parameters<typeof openSender> extends [string, ...infer Rest] ? Rest : never
) => {
  const one = openSender(gateway.url, options);
  senders.push(one);
  return one;
};
const kept = async (...channels: string[]) => {
  const { items } = await gateway.broker.readPage({ channels, after: 0, limit: 10_000 });
  return items.flatMap(({ record }) => (record ? [record.entry] : []));
};
const records = async (channel: string) =>
  (await kept(channel)).filter(({ event }) => event !== 'resource.seen');

interface Sent {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** node:http, because fetch lets a test choose neither Host nor Origin. */
const post = (
  path: string,
  body: Buffer | string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Sent> =>
  new Promise((resolve, reject) => {
    const asked = request(`${gateway.url}${path}`, { method: 'POST', headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    asked.on('error', reject).end(body);
  });

const logs = (count: number, more: object = {}, service = 'many') =>
  JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
        scopeLogs: [
          {
            logRecords: Array.from({ length: count }, (_, i) => ({
              timeUnixNano: String(1_795_224_320_113_000_000n + BigInt(i) * 1_000_000n),
              body: { stringValue: `line ${i}` },
              ...more,
            })),
          },
        ],
      },
    ],
  });

describe.each<[Encoding, boolean]>([
  ['protobuf', false],
  ['protobuf', true],
  ['json', false],
  ['json', true],
])('the exporters for %s (gzip: %s)', (encoding, gzip) => {
  it('put log records on logs:<service>', async () => {
    await open();
    const { logger, flush } = sender({ encoding, gzip });
    logger.emit({
      severityNumber: SeverityNumber.WARN,
      body: 'the cart is full',
      attributes: { items: 12, ratio: 0.5, tags: ['a', 'b'], nested: { deep: true } },
    });
    await flush();
    expect(await records('logs:shop')).toMatchObject([
      {
        level: 'warn',
        msg: 'the cart is full',
        source: 'shop-1',
        attrs: { items: 12, ratio: 0.5, tags: ['a', 'b'], nested: { deep: true } },
      },
    ]);
  });

  it('put spans on traces:<service>: calls, tools and agents by our names, the trace as run', async () => {
    await open();
    const { tracer, flush } = sender({ encoding, gzip });
    const run = sendAgentRun(tracer);
    await flush();
    const entries = await kept('traces:shop');
    expect(entries.map(({ event, level }) => [event, level])).toEqual([
      ['run.started', 'info'],
      ['generation.finished', 'info'],
      ['exception', 'error'],
      ['tool.returned', 'error'],
      ['span.finished', 'debug'],
      ['agent.finished', 'info'],
      ['run.finished', 'info'],
    ]);
    expect(new Set(entries.map((one) => one.run))).toEqual(new Set([run]));
    const [, chat, exception, tool, , agent] = entries;
    expect(chat).toMatchObject({
      msg: expect.stringMatching(/^chat gpt-4o: 812 → 212 tokens in \d/),
      attrs: {
        'gen_ai.provider.name': 'openai',
        'gen_ai.usage.output_tokens': 212,
        'gen_ai.response.finish_reasons': ['stop'],
        'http.request.header.authorization': '***',
        lane: 'chat gpt-4o',
        parent_span_id: agent?.attrs?.span_id,
      },
    });
    expect(exception?.attrs?.['exception.stacktrace']).toContain('RangeError: no such page');
    expect(tool).toMatchObject({
      msg: expect.stringMatching(/failed in .* s: search failed$/),
      attrs: { 'error.type': 'RangeError', 'gen_ai.tool.name': 'search', status: 'error' },
    });
    // The agent's sum is no usage of its own, so that nothing is counted twice.
    expect(agent?.attrs).toMatchObject({ input_tokens: 812, output_tokens: 212 });
    expect(agent?.attrs).not.toHaveProperty(['gen_ai.usage.input_tokens']);
  });
});

it('a reader of the stream sees a log record as it comes', async () => {
  await open();
  const viewer = await gateway.view('channels=logs*');
  const { logger, flush } = sender();
  logger.emit({ severityNumber: SeverityNumber.INFO, body: 'live' });
  await flush();
  await eventually('the record', () => viewer.msgs.includes('live'));
});

describe('what people and models say', () => {
  it('is nowhere in the log, and its size is told', async () => {
    await open();
    const { tracer, flush } = sender();
    sendAgentRun(tracer);
    await flush();
    const all = await kept('*');
    expect(JSON.stringify(all)).not.toContain('secret wish');
    expect(all.find(({ event }) => event === 'generation.finished')?.attrs?.content_bytes).toBe(43);
  });

  it('is shown with LOG_CONTENT', async () => {
    await open({ LOG_CONTENT: 'true' });
    const { tracer, flush } = sender();
    sendAgentRun(tracer);
    await flush();
    expect(JSON.stringify(await kept('traces:shop'))).toContain('secret wish');
  });

  it('and credentials and command lines never are', async () => {
    await open({ LOG_CONTENT: 'true' });
    const { logger, tracer, flush } = sender();
    sendAgentRun(tracer);
    logger.emit({
      body: 'using Bearer abcdefgh12345678',
      attributes: { api_key: 'k-1', url: 'http://u:pw1@h/' },
    });
    await flush();
    const all = JSON.stringify(await kept('*'));
    for (const secret of ['hunter2', 'sk-0123', 'abcdefgh12345678', 'k-1', 'pw1'])
      expect(all, secret).not.toContain(secret);
  });
});

describe('metrics', () => {
  it('of models are an entry; the others are counted, and that is said once', async () => {
    await open();
    const said: string[] = [];
    diag.setLogger(
      {
        ...console,
        warn: (...texts: unknown[]) => said.push(texts.join(' ')),
        error: () => {},
        info: () => {},
        debug: () => {},
        verbose: () => {},
      },
      { logLevel: DiagLogLevel.ALL, suppressOverrideMessage: true },
    );
    const { meter, flush } = sender();
    meter.createCounter('http.requests').add(3);
    meter.createGauge('vllm:num_requests_running').record(7);
    meter.createHistogram('gen_ai.client.token.usage').record(40, { 'gen_ai.token.type': 'input' });
    await flush();
    await flush();
    diag.disable();
    expect(said.filter((one) => one.includes('OTEL_METRICS_EXPORTER=none'))).toHaveLength(1);
    const [first] = await kept('logs:metrics');
    expect(first).toMatchObject({
      event: 'server.metrics',
      source: 'shop-1',
      attrs: {
        service: 'shop',
        requests_running: 7,
        'gen_ai.client.token.usage{gen_ai.token.type=input}.count': 1,
        'gen_ai.client.token.usage{gen_ai.token.type=input}.sum': 40,
      },
    });
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain(
      'llm_streamer_otlp_records_total{signal="metrics",outcome="ignored"} 2',
    );
  });
});

describe('metrics in requests of their own', () => {
  const metrics = (points: [string, number, Record<string, string>?][], timeUnixNano?: string) =>
    JSON.stringify({
      resourceMetrics: [
        {
          resource: { attributes: pairs({ 'service.name': 'vllm' }) },
          scopeMetrics: [
            {
              metrics: points.map(([name, asDouble, labels = {}]) => ({
                name,
                gauge: { dataPoints: [{ asDouble, timeUnixNano, attributes: pairs(labels) }] },
              })),
            },
          ],
        },
      ],
    });
  const NOW = '1795224320113000000';

  it('that are sent again after a lost answer are there once', async () => {
    await open();
    for (let i = 0; i < 2; i++) await post('/v1/metrics', metrics([['vllm:num_requests_running', 7]], NOW));
    expect(await kept('logs:metrics')).toHaveLength(1);
  });

  it('of several engines are their sum, and of the cache the fullest; of one series the newest', async () => {
    await open();
    const points = [
      ['0', 4],
      ['1', 9],
      ['1', 3],
    ].flatMap(([engine, number]): [string, number, Record<string, string>][] => {
      const labels = { engine: String(engine), model_name: 'm'.repeat(150) };
      return [
        ['vllm:num_requests_running', Number(number), labels],
        ['vllm:kv_cache_usage_perc', Number(number) / 10, labels],
      ];
    });
    await post('/v1/metrics', metrics(points, NOW));
    expect(await kept('logs:metrics')).toMatchObject([
      { attrs: { requests_running: 7, kv_cache_usage: 0.4 } },
    ]);
  });
});

describe('many records', () => {
  it('more than a batch of the log are all taken, in order', async () => {
    await open();
    const answer = await post('/v1/logs', logs(1_234));
    expect([answer.status, answer.body.toString()]).toEqual([200, '{}']);
    expect((await records('logs:many')).map(({ msg }) => msg)).toEqual(
      Array.from({ length: 1_234 }, (_, i) => `line ${i}`),
    );
  });

  it('that are sent again after a lost answer are not there twice', async () => {
    await open();
    for (let i = 0; i < 3; i++) expect((await post('/v1/logs', logs(600))).status).toBe(200);
    expect(await records('logs:many')).toHaveLength(600);
  });

  it('that are sent twice at the same time are there once', async () => {
    await open();
    await Promise.all([post('/v1/logs', logs(600)), post('/v1/logs', logs(600))]);
    expect(await records('logs:many')).toHaveLength(600);
  });

  it('without a time of their own are each a record, however equal', async () => {
    await open();
    const body = logs(1, { timeUnixNano: undefined });
    for (let i = 0; i < 3; i++) await post('/v1/logs', body);
    expect(await records('logs:many')).toHaveLength(3);
  });

  it('of too many in one request are refused as a whole', async () => {
    await open();
    const answer = await post('/v1/logs', logs(20_001, { body: undefined }));
    expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([413, { code: 3 }]);
    expect(await kept('logs:many')).toEqual([]);
  });

  it('on channels that the log does not take are rejected alone, and the exporter is told', async () => {
    await open({ MAX_CHANNELS: '3' });
    const parts = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => JSON.parse(logs(2, {}, name)).resourceLogs[0]);
    const answer = await post('/v1/logs', JSON.stringify({ resourceLogs: parts }));
    expect(answer.status).toBe(200);
    const { partialSuccess } = JSON.parse(answer.body.toString());
    const stored = (await kept('logs:a', 'logs:b', 'logs:c', 'logs:d', 'logs:e', 'logs:f')).filter(
      ({ event }) => event !== 'resource.seen',
    );
    expect(stored.length).toBeGreaterThan(0);
    expect(Number(partialSuccess.rejectedLogRecords) + stored.length).toBe(12);
    expect(partialSuccess.errorMessage).toContain('channels');
  });
});

describe('channels', () => {
  it.each([
    ['../x', 'logs:.._x'],
    ['runs:a', 'logs:runs_a'],
    ['😀', 'logs:otlp'],
    ['unknown_service:node', 'logs:otlp'],
    ['gateway', 'logs:gateway-service'],
    ['s'.repeat(300), `logs:${'s'.repeat(150)}`],
  ])('of the service %s: %s', async (service, channel) => {
    await open();
    await post('/v1/logs', logs(1, {}, service));
    expect(await records(channel)).toHaveLength(1);
  });

  it('may be named by a header, but not those that the gateway writes', async () => {
    await open();
    const type = { 'content-type': 'application/json' };
    await post('/v1/logs', logs(1), { ...type, 'x-channel': 'logs:mine' });
    expect(await records('logs:mine')).toHaveLength(1);
    const answer = await post('/v1/logs', logs(1), { ...type, 'x-channel': 'runs:mine' });
    expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([
      200,
      { partialSuccess: { rejectedLogRecords: '1' } },
    ]);
    expect(await kept('runs:mine')).toEqual([]);
  });
});

describe('packed bodies', () => {
  const type = { 'content-type': 'application/json' };

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('%s is taken', async (name, pack) => {
    await open();
    const answer = await post('/v1/logs', pack(logs(3)), { ...type, 'content-encoding': name });
    expect(answer.status).toBe(200);
    expect(await records('logs:many')).toHaveLength(3);
  });

  it('a bomb is refused before it is unpacked', async () => {
    await open();
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    const answer = await post('/v1/logs', bomb, { ...type, 'content-encoding': 'gzip' });
    expect(answer.status).toBe(413);
  });

  it.each([
    ['deflate', 415],
    ['gzip', 400],
    ['zstd', 400],
  ])('%s that is none, or that nobody knows, is refused for good', async (name, status) => {
    await open();
    const answer = await post('/v1/logs', 'no such thing', { ...type, 'content-encoding': name });
    expect(answer.status).toBe(status);
  });
});

describe('answers', () => {
  it('to nothing are success: an empty body of protobuf, {} of JSON', async () => {
    await open();
    const binary = await post('/v1/traces', '', { 'content-type': 'application/x-protobuf' });
    expect([binary.status, binary.headers['content-type'], binary.body.length]).toEqual([
      200,
      'application/x-protobuf',
      0,
    ]);
    const json = await post('/v1/traces', '{}');
    expect([json.status, json.headers['content-type'], json.body.toString()]).toEqual([
      200,
      'application/json',
      '{}',
    ]);
  });

  it('of errors are a google.rpc.Status in the encoding of the request', async () => {
    await open();
    const json = await post('/v1/logs', '[]');
    expect([json.status, JSON.parse(json.body.toString())]).toEqual([
      400,
      { code: 3, message: expect.stringContaining('JSON object') },
    ]);
    const binary = await post('/v1/logs', Buffer.from([0x0a, 0x7f]), {
      'content-type': 'application/x-protobuf',
    });
    expect([binary.status, binary.headers['content-type']]).toEqual([400, 'application/x-protobuf']);
    expect([...binary.body.subarray(0, 3)]).toEqual([8, 3, 18]);
    expect(binary.body.toString()).toContain('protobuf of an OTLP request');
  });

  it('to a wrong path say the right one', async () => {
    await open();
    const answer = await post('/', '{}');
    expect([answer.status, answer.body.toString()]).toEqual([404, expect.stringContaining('/v1/traces')]);
  });

  it('to gRPC say what to set', async () => {
    await open();
    const answer = await post('/v1/logs', '', { 'content-type': 'application/grpc' });
    expect([answer.status, answer.body.toString()]).toEqual([
      415,
      expect.stringContaining('OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf'),
    ]);
  });

  it('to more than OTLP_BODY_BYTES are 413, also where no length is said', async () => {
    await open({ OTLP_BODY_BYTES: '65536' });
    const answer = await post('/v1/logs', Buffer.alloc(100_000, 32), {
      'content-type': 'application/json',
      'transfer-encoding': 'chunked',
    });
    expect(answer.status).toBe(413);
  });

  it('that refuse are told on logs:gateway', async () => {
    await open();
    await post('/v1/logs', 'no json');
    await eventually('an entry', async () =>
      JSON.stringify(await kept('logs:gateway')).includes('refused /v1/logs of 127.0.0.1, which drops it'),
    );
  });
});

describe('names of the gateway', () => {
  const type = { 'content-type': 'application/x-protobuf' };

  it('an exporter in another container may use any', async () => {
    await open();
    expect((await post('/v1/logs', '', { ...type, host: 'gateway:8000' })).status).toBe(200);
  });

  it('a page may not: neither of another site, nor of a name that was rebound to this machine', async () => {
    await open();
    for (const headers of [
      { origin: 'http://evil.example' },
      { host: 'evil.example', origin: 'http://evil.example' },
      { host: 'evil.example:8000', origin: 'null' },
      { host: 'evil.example', 'sec-fetch-site': 'same-origin' },
    ])
      expect((await post('/v1/logs', '', { ...type, ...headers })).status, JSON.stringify(headers)).toBe(403);
  });

  it('and what writes no entries is not open to any name', async () => {
    await open();
    const answer = await post('/api/process', '{"message":"x"}', {
      'content-type': 'application/json',
      host: 'gateway:8000',
    });
    expect(answer.status).toBe(403);
  });
});
