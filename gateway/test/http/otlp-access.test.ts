// Who may send by OpenTelemetry: keys by OTEL_EXPORTER_OTLP_HEADERS, for the channels that they may write, under the source that is
// theirs. And which way: the second port, and gRPC, which is told what to do.

import { connect } from 'node:net';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { openGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import { randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { createApp } from '../../src/app.ts';
import { newApiKey } from '../../src/auth/credentials/api-keys.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';
import { readGatewayConfig } from '../../src/config.ts';
import { OtlpListener } from '../../src/http/otlp-listener.ts';
import { any, logsOf, stored } from '../otlp/requests.ts';
import { openSender, sendAgentRun } from '../otlp/senders.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const send = (
  url: string,
  headers: Record<string, string> = {},
  body: unknown = logsOf({ body: any('hi') }),
) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

async function guarded(publish: string[], source?: string) {
  const store = FileAuthStore.inMemory();
  const grants = { read: [], publish, run: false, metrics: true, admin: false };
  const { key, record } = newApiKey({ name: 'exporter', grants, source });
  await store.addKey(record);
  const gateway = await openGateway({ AUTH: 'on' }, {}, store);
  closing.push(() => gateway.close());
  return { gateway, key };
}

describe('where people sign in', () => {
  it('nobody sends without a key, and the refusal is a status of the protocol', async () => {
    const { gateway } = await guarded(['*']);
    for (const headers of [{}, { authorization: 'Bearer lls_wrong' }]) {
      const answer = await send(`${gateway.url}/v1/logs`, headers as Record<string, string>);
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect(await answer.json()).toMatchObject({ code: 16 });
    }
  });

  it('a key sends as a header of the exporter, or as the password of Basic', async () => {
    const { gateway, key } = await guarded(['logs:*', 'traces:*']);
    const sender = openSender(gateway.url, { headers: { authorization: `Bearer ${key}` } });
    closing.push(() => sender.close());
    sender.logger.emit({ body: 'signed' });
    sendAgentRun(sender.tracer);
    await sender.flush();
    expect((await stored(gateway.broker, ['logs:shop'])).map(({ msg }) => msg)).toEqual(['signed']);
    expect(await stored(gateway.broker, ['traces:shop'])).toHaveLength(7);
    const basic = `Basic ${Buffer.from(`pk:${key}`).toString('base64')}`;
    const langfuse = await send(`${gateway.url}/api/public/otel/v1/traces`, { authorization: basic }, {});
    expect(langfuse.status).toBe(200);
  });

  it('records on channels that the key may not write are rejected, the others taken', async () => {
    const { gateway, key } = await guarded(['logs:mine']);
    const authorization = `Bearer ${key}`;
    const both = ['mine', 'theirs'].map((name) => ({
      resource: { attributes: [{ key: 'service.name', value: any(name) }] },
      scopeLogs: [{ logRecords: [{ body: any('x') }] }],
    }));
    const answer = await send(`${gateway.url}/v1/logs`, { authorization }, { resourceLogs: both });
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { partialSuccess: { rejectedLogRecords: '1', errorMessage: 'you may not write to logs:theirs' } },
    ]);
    expect(await stored(gateway.broker, ['logs:mine'])).toHaveLength(1);
    expect(await stored(gateway.broker, ['logs:theirs'])).toEqual([]);
  });

  it('metrics that the key may not write are counted as rejected, beside those that nobody wants', async () => {
    const { gateway, key } = await guarded(['logs:mine']);
    const headers = { authorization: `Bearer ${key}` };
    const metrics = ['vllm:num_requests_running', 'http.a', 'http.b'].map((name) => ({
      name,
      gauge: { dataPoints: [{ asDouble: 1 }] },
    }));
    const body = { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
    const told: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const answer = await send(`${gateway.url}/v1/metrics`, headers, body);
      const { partialSuccess } = (await answer.json()) as { partialSuccess: Record<string, string> };
      told.push(partialSuccess.rejectedDataPoints);
    }
    expect(told).toEqual(['3', '1']); // that nobody wants the others is said once
    const text = await (await fetch(`${gateway.url}/metrics`, { headers })).text();
    expect(text).toContain('otlp_records_total{signal="metrics",outcome="rejected"} 2');
    expect(text).toContain('otlp_records_total{signal="metrics",outcome="ignored"} 4');
  });

  it('nobody forges what the gateway says of itself', async () => {
    const { gateway, key } = await guarded(['*']);
    const headers = { authorization: `Bearer ${key}` };
    for (const channel of ['logs:gateway', 'audit:auth', 'runs:alice/1', 'events:runs:alice']) {
      const answer = await send(`${gateway.url}/v1/logs`, { ...headers, 'x-channel': channel });
      expect(await answer.json(), channel).toMatchObject({ partialSuccess: { rejectedLogRecords: '1' } });
    }
    expect(JSON.stringify(await stored(gateway.broker, ['logs:gateway', 'audit:*', 'runs:*']))).not.toContain(
      '"hi"',
    );
  });

  it('a key with a source writes under that source', async () => {
    const { gateway, key } = await guarded(['*'], 'ci');
    await send(`${gateway.url}/v1/logs`, { authorization: `Bearer ${key}` });
    expect(await stored(gateway.broker, ['logs:app'])).toMatchObject([{ source: 'ci', msg: 'hi' }]);
  });
});

it('while Redis is away the exporter is told to come again, and nothing is lost or doubled', async () => {
  const redis = await startRedis();
  closing.push(() => redis.stop());
  const gateway = await openGateway({ REDIS_URL: redis.url, NAMESPACE: randomNamespace() });
  closing.push(() => gateway.close());
  const sender = openSender(gateway.url);
  closing.push(() => sender.close());
  for (let i = 0; i < 700; i++) sender.logger.emit({ body: `line ${i}` });
  await redis.kill();
  await eventually('the outage', () => !gateway.broker.status().ready);
  const refused = await send(`${gateway.url}/v1/logs`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
  const flushed = sender.flush();
  await redis.restart();
  await flushed;
  await eventually('all lines', async () => (await stored(gateway.broker, ['logs:shop'])).length >= 700);
  const lines = (await stored(gateway.broker, ['logs:shop'])).map(({ msg }) => msg);
  expect(lines.toSorted()).toEqual(Array.from({ length: 700 }, (_, i) => `line ${i}`).toSorted());
});

it('the second port takes OpenTelemetry at its root, and nothing else', async () => {
  const broker = new MemoryBroker(DEFAULT_RETENTION);
  closing.push(() => broker.close());
  const app = createApp(
    readGatewayConfig({ AUTH: 'off', BASE_PATH: '/logs' }),
    broker,
    createLogger('gateway', 'silent', true),
  );
  closing.push(() => app.close());
  await app.ready();
  const listener = await OtlpListener.open(app, { host: '127.0.0.1', port: 0, basePath: '/logs' });
  closing.push(() => listener.close());
  const url = `http://127.0.0.1:${listener.port}`;
  expect((await send(`${url}/v1/logs`)).status).toBe(200);
  expect(await stored(broker, ['logs:app'])).toHaveLength(1);
  expect((await send(url)).status).toBe(404);
  expect((await send(`${url}/logs/v1/logs`)).status).toBe(404);
  expect((await send(`${url}/api/publish`, {}, { channel: 'logs', msg: 'x' })).status).toBe(404);
  expect((await fetch(`${url}/stream`)).status).toBe(404);
});

it('a client that speaks gRPC leaves a line that says what to set', async () => {
  const gateway = await openGateway();
  closing.push(() => gateway.close());
  const socket = connect(gateway.port, '127.0.0.1').on('error', () => {});
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  await eventually('the line', async () =>
    JSON.stringify(await stored(gateway.broker, ['logs:gateway'])).includes(
      'OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
    ),
  );
  socket.destroy();
});
