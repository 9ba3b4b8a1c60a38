// The gateway's own runs as traces: what a collector receives of them, how they join the traces of clients and models, and what is never
// in them.

import { expect, it, vi } from 'vitest';
import { freePort } from '../../../test-support/redis.ts';
import { makeApiKey } from '../../src/auth/credentials/api-keys.ts';
import { FileAuthStore } from '../../src/auth/store/file-auth-store.ts';
import { readGatewayConfig } from '../../src/config.ts';
import { tracesUrl } from '../../src/tracing/config.ts';
import { ownedGateway } from '../http/owned-gateway.ts';
import { afterwards, ask, counted, entriesOf, opened, openModels, spans, spansOf } from './traced-gateway.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const tracedBy = ({ url }: { url: string }) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url });

it('a run is a trace of a workflow, its lanes and their model calls', async () => {
  const collector = await opened();
  const models = await openModels();
  const gateway = await opened({ ...models.env, ...tracedBy(collector) });
  expect(await ask(gateway, 'm1')).toContain('"status":"Completed"');

  const all = await spans(collector, 7);
  const [workflow, ...more] = all.filter(({ event }) => event === 'workflow.finished');
  expect(more).toEqual([]);
  expect(workflow).toMatchObject({
    channel: 'traces:llm-streamer',
    msg: expect.stringMatching(/^invoke_workflow process in /),
    attrs: {
      'gen_ai.operation.name': 'invoke_workflow',
      'gen_ai.workflow.name': 'process',
      'llm_streamer.run': 'm1',
      'gen_ai.conversation.id': 'about-m1',
      kind: 'internal',
    },
  });
  const lanes = all
    .filter(({ attrs }) => attrs?.role !== undefined)
    .sort((a, b) => `${a.attrs?.span}`.localeCompare(`${b.attrs?.span}`));
  expect(lanes.map(({ attrs }) => [attrs?.span, attrs?.role, attrs?.parent_span_id])).toEqual([
    ['lane llm-1', 'task', workflow?.attrs?.span_id],
    ['lane llm-2', 'task', workflow?.attrs?.span_id],
    ['lane llm-combine', 'combiner', workflow?.attrs?.span_id],
  ]);
  const calls = all.filter(({ event }) => event === 'generation.finished');
  expect(calls.map(({ attrs }) => attrs?.parent_span_id).sort()).toEqual(
    lanes.map(({ attrs }) => attrs?.span_id).sort(),
  );
  expect(calls[0]?.attrs).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': '127.0.0.1',
    'gen_ai.request.model': 'sim-1',
    'gen_ai.request.stream': true,
    'gen_ai.response.model': 'sim-1',
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': expect.any(Number),
    'gen_ai.usage.output_tokens': expect.any(Number),
    'gen_ai.response.time_to_first_chunk': expect.any(Number),
    'server.address': '127.0.0.1',
    kind: 'client',
  });
  // The models are asked to go on with the trace, each below its own call, and the run's entries name the trace.
  expect(models.heard.toSorted()).toEqual(
    calls.map(({ run, attrs }) => `00-${run}-${attrs?.span_id}-01`).sort(),
  );
  const told = await entriesOf(gateway, 'events:runs', 'runs:m1');
  const named = told.filter(({ event }) => event !== 'generation.delta');
  expect(named.length).toBeGreaterThan(8);
  expect(new Set(named.map(({ attrs }) => attrs?.trace_id))).toEqual(new Set([workflow?.run]));
  expect(await counted(gateway, 'sent')).toBe(7);
});

it('a client’s trace goes on in the run, and what is no trace is ignored', async () => {
  const collector = await opened();
  const models = await openModels();
  const gateway = await opened({ ...models.env, ...tracedBy(collector) });
  await ask(gateway, 'm1', { traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: 'shop=a1' });
  const all = await spans(collector, 7);
  expect(new Set(all.map(({ run }) => run))).toEqual(new Set([TRACE]));
  expect(all.find(({ event }) => event === 'workflow.finished')?.attrs?.parent_span_id).toBe(CALLER);

  for (const [index, traceparent] of [
    `00-${TRACE}-0000000000000000-01`,
    `ff-${TRACE}-${CALLER}-01`,
    `00-${TRACE.toUpperCase()}-${CALLER}-01`,
    `00-${TRACE}-${CALLER}-01, 00-${TRACE}-${CALLER}-01`,
    'x'.repeat(20_000),
  ].entries())
    expect(await ask(gateway, `bad-${index}`, { traceparent })).toContain('"status":"Completed"');
  const later = (await spans(collector, 42)).slice(7);
  expect(later.filter(({ run }) => run === TRACE)).toEqual([]);
  expect(new Set(later.map(({ run }) => run)).size).toBe(5);
});

it('of a trace that is not recorded nothing is sent, and the models learn that, too', async () => {
  const collector = await opened();
  const models = await openModels();
  const gateway = await opened({ ...models.env, ...tracedBy(collector) });
  await ask(gateway, 'quiet', { traceparent: `00-${TRACE}-${CALLER}-00` });
  expect(models.heard).toHaveLength(3);
  for (const header of models.heard) expect(header).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  await ask(gateway, 'loud');
  const all = await spans(collector, 7);
  expect(all.filter(({ run }) => run === TRACE)).toEqual([]);
});

it('each attempt of a call is a span, and a failure is one by its code', async () => {
  const collector = await opened();
  const models = await openModels('sim-503');
  const gateway = await opened({ ...models.env, ...tracedBy(collector), LLM_RETRIES: '1' });
  expect(await ask(gateway, 'm1')).toContain('"code":"no_answer"');
  const all = await spans(collector, 7);
  const attempts = all.filter(({ event }) => event === 'generation.failed');
  expect(attempts).toHaveLength(4);
  for (const { level, attrs } of attempts)
    expect({ level, ...attrs }).toMatchObject({
      level: 'error',
      'error.type': 'llm_unavailable',
      'http.response.status_code': 503,
    });
  const run = all.find(({ msg }) => msg.startsWith('invoke_workflow'));
  expect(run).toMatchObject({ level: 'error', attrs: { 'error.type': 'no_answer' } });
  const lanes = all.filter(({ attrs }) => attrs?.role === 'task');
  expect(lanes.map(({ level, attrs }) => [level, attrs?.['error.type']])).toEqual([
    ['error', 'llm_unavailable'],
    ['error', 'llm_unavailable'],
  ]);
});

it('a run that is cancelled ends its spans, and none of them is a failure', async () => {
  const collector = await opened();
  const models = await openModels('sim-1', 10_000);
  const gateway = await opened({ ...models.env, ...tracedBy(collector) });
  const answer = ask(gateway, 'm1');
  await vi.waitFor(() => expect(models.heard).toHaveLength(2), 20_000);
  await fetch(`${gateway.url}/api/runs/m1/cancel`, { method: 'POST' });
  await answer;
  const all = await spans(collector, 5);
  expect(all).toHaveLength(5);
  expect(all.filter(({ level }) => level === 'error')).toEqual([]);
  expect(new Set(all.map(({ attrs }) => attrs?.['error.type']))).toEqual(new Set(['cancelled']));
});

it('texts are in spans only with LOG_CONTENT, and then a bounded part of them', async () => {
  const collector = await opened({ LOG_CONTENT: 'true' });
  const models = await openModels();
  const shy = await opened({ ...models.env, ...tracedBy(collector) });
  await ask(shy, 'shy', {}, 'my secret wish');
  const without = JSON.stringify(await spans(collector, 7));
  expect(without).not.toContain('secret wish');
  expect(without).not.toMatch(/gen_ai\.(?:input|output)\.messages/);

  const open = await opened({ ...models.env, ...tracedBy(collector), LOG_CONTENT: 'true' });
  await ask(open, 'open', {}, `my secret wish ${'x'.repeat(15_000)}`);
  const calls = (await spans(collector, 14)).slice(7).filter(({ event }) => event === 'generation.finished');
  for (const { attrs = {} } of calls) {
    const [asked, said] = ['gen_ai.input.messages', 'gen_ai.output.messages'].map((name) =>
      JSON.parse(String(attrs[name])),
    );
    expect(asked.at(-1)).toMatchObject({ role: 'user', parts: [{ type: 'text' }] });
    expect(JSON.stringify(asked).length).toBeLessThan(9_000);
    expect(said).toEqual([{ role: 'assistant', parts: [{ type: 'text', content: expect.any(String) }] }]);
  }
  expect(JSON.stringify(calls)).toContain('secret wish');
});

it('of a run that belongs to somebody neither texts nor the names that he chose are in spans', async () => {
  const collector = await opened({ LOG_CONTENT: 'true' });
  const gateway = await ownedGateway({ ...tracedBy(collector), LOG_CONTENT: 'true' }, 0);
  afterwards(() => gateway.close());
  const body = { message: 'my secret wish', message_id: 'diary-1', conversation_id: 'diary' };
  expect((await gateway.begin('alice', body)).status).toBe(202);
  const all = await spans(collector, 7);
  expect(all.map(({ event }) => event)).toContain('workflow.finished');
  expect(JSON.stringify(all)).not.toMatch(/secret|diary|alice/);
});

it('a key that the collector asks for is sent, and its refusals are said', async () => {
  const store = FileAuthStore.inMemory();
  const keyFor = async (...publish: string[]) => {
    const { id, key, digest } = makeApiKey();
    const grants = { read: [], publish, run: false, metrics: false, admin: false };
    await store.addKey({
      id,
      digest,
      name: id,
      grants,
      created: Date.now(),
      expires: Date.now() + 3_600_000,
      lastUsed: 0,
    });
    return key;
  };
  const key = await keyFor('traces:llm-streamer');
  const other = await keyFor('logs:other');
  const collector = await opened({ AUTH: 'on' }, {}, store);
  const withKey = (credential?: string) =>
    opened(
      {
        ...tracedBy(collector),
        ...(credential !== undefined && { OTEL_EXPORTER_OTLP_HEADERS: `authorization=${credential}` }),
      },
      { simulator: { tokenMs: 0 } },
    );
  const known = await withKey(`Bearer ${key}`);
  await ask(known, 'm1');
  await spans(collector, 7);
  for (const [credential, said] of [
    [undefined, 'could not be delivered: status 401'],
    [`Bearer ${other}`, 'not all spans of this gateway were taken: '],
  ] as const) {
    const gateway = await withKey(credential);
    await ask(gateway, 'm1');
    const lines = await vi.waitUntil(
      async () =>
        (await entriesOf(gateway, 'logs:gateway')).filter(({ msg }) => msg.includes(said)).length > 0 &&
        entriesOf(gateway, 'logs:gateway'),
      { timeout: 20_000 },
    );
    expect(JSON.stringify(lines)).not.toContain('lls_');
  }
  expect(await spansOf(collector)).toHaveLength(7);
});

it('a gateway that is its own collector shows its runs, and makes no further spans of that', async () => {
  const port = await freePort();
  const gateway = await opened(
    { PORT: `${port}`, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/` },
    { simulator: { tokenMs: 0 } },
  );
  await ask(gateway, 'm1');
  await spans(gateway, 7);
  await ask(gateway, 'm2');
  // The spans of the second run come after whatever the delivery of the first ones could have caused.
  const all = await spans(gateway, 14);
  expect(all).toHaveLength(14);
  expect(new Set(all.map(({ run }) => run)).size).toBe(2);
  expect(await counted(gateway, 'sent')).toBe(14);
});

it('an endpoint without a usable protocol or address stops the start, and is not printed', () => {
  const config = (env: Record<string, string>) => tracesUrl(readGatewayConfig(env));
  expect(config({})).toBeUndefined();
  expect(config({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/base/' })).toBe('http://c:4318/base/v1/traces');
  expect(config({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/x' })).toBe('http://c/x');
  expect(config({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
  expect(config({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toBeUndefined();
  expect(() =>
    config({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }),
  ).toThrow('OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf');
  for (const bad of ['collector:4318', 'http://u:hunter2@c:4318', 'ftp://c', 'http://c/?key=hunter2']) {
    expect(() => config({ OTEL_EXPORTER_OTLP_ENDPOINT: bad })).toThrow(
      'OTEL_EXPORTER_OTLP_ENDPOINT: must look',
    );
    expect(() => config({ OTEL_EXPORTER_OTLP_ENDPOINT: bad })).not.toThrow('hunter2');
  }
});
