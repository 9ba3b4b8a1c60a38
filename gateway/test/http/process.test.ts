import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { BEGINNING, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { describe, expect, it, vi } from 'vitest';
import { createApp } from '../../src/app.ts';
import { readGatewayConfig } from '../../src/config.ts';
import { PATIENCE_MS } from '../llm/collect.ts';
import { frames, id, post, problem, SILENT_MODELS_MS, serve } from './run-gateway.ts';

describe('POST /api/process', () => {
  it('streams thinking, content and done, each with an id of the log', async () => {
    const { url } = await serve();
    const response = await post(url, { message: 'Explain gravity like I am 5', message_id: 'message_123' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform');
    const all = await frames(response);
    expect(new Set(all.map(({ event }) => event))).toEqual(new Set(['thinking', 'content', 'done']));
    expect(all.every(({ json }) => json.message_id === 'message_123')).toBe(true);
    expect(all[0]?.json).toMatchObject({ status: 'Sending to llm-1', source: 'llm-1' });
    expect(all.at(-1)?.json).toMatchObject({ status: 'Completed', source: 'llm-combine', final: true });
    const positions = all.map((frame) => parsePosition(frame.id ?? '') as number);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
  });

  it('replays the same request, and resumes it after Last-Event-ID', async () => {
    const { url } = await serve();
    const body = { message: 'Explain tides', message_id: id() };
    const whole = await frames(await post(url, body));
    expect(await frames(await post(url, body))).toEqual(whole);
    const half = Math.floor(whole.length / 2);
    const rest = await frames(await post(url, body, { 'last-event-id': whole[half - 1]?.id as string }));
    expect(rest).toEqual(whole.slice(half));
    const nothing = await post(url, body, { 'last-event-id': whole.at(-1)?.id as string });
    expect(nothing.status).toBe(204);
  });

  it('is not cancelled by a client that leaves', async () => {
    const { url } = await serve({}, 2);
    const message_id = id();
    const leave = new AbortController();
    const response = await post(url, { message: 'Explain tides', message_id }, {}, leave.signal);
    const seen = await frames(response, ({ length }) => length >= 3);
    leave.abort();
    const rest = await fetch(`${url}/api/runs/${message_id}/stream`, {
      headers: { 'last-event-id': seen.at(-1)?.id as string },
    });
    expect((await frames(rest)).at(-1)?.event).toBe('done');
  });

  it('answers at once and streams elsewhere for a client that prefers it', async () => {
    const { url } = await serve();
    const message_id = id();
    const body = { message: 'Explain tides', message_id, conversation_id: 'c1' };
    const response = await post(url, body, { prefer: 'respond-async' });
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toBe(`runs/${message_id}`);
    expect(await response.json()).toMatchObject({ message_id, conversation_id: 'c1', state: 'running' });
    const stream = await fetch(`${url}/api/runs/${message_id}/stream`);
    expect((await frames(stream)).at(-1)?.event).toBe('done');
  });

  it('refuses another message under a used id', async () => {
    const { url } = await serve();
    const message_id = id();
    await frames(await post(url, { message: 'Explain tides', message_id }));
    const response = await post(url, { message: 'Explain rain', message_id });
    expect(response.status).toBe(409);
    expect(await problem(response)).toMatchObject({ code: 'message_id_reused', field: 'message_id' });
  });

  const good = { message: 'hi', message_id: 'm1' };
  it.each([
    ['no JSON', '{"message":', 400, 'invalid_json', undefined],
    ['an array', [], 400, 'invalid_body', undefined],
    ['null', 'null', 400, 'invalid_body', undefined],
    ['no message', { message_id: 'm1' }, 400, 'invalid_body', 'message'],
    ['an empty message', { ...good, message: ' \n ' }, 400, 'invalid_body', 'message'],
    ['a message that is a number', { ...good, message: 5 }, 400, 'invalid_body', 'message'],
    ['a long message', { ...good, message: 'x'.repeat(16_001) }, 413, 'message_too_long', 'message'],
    ['no id', { message: 'hi' }, 400, 'invalid_body', 'message_id'],
    ['an id with a space', { ...good, message_id: 'a b' }, 400, 'invalid_body', 'message_id'],
    ['an id with a line end', { ...good, message_id: 'a\nevent: x' }, 400, 'invalid_body', 'message_id'],
    ['an id that is a pattern', { ...good, message_id: '*' }, 400, 'invalid_body', 'message_id'],
    ['a long id', { ...good, message_id: 'x'.repeat(129) }, 400, 'invalid_body', 'message_id'],
    ['the id .', { ...good, message_id: '.' }, 400, 'invalid_body', 'message_id'],
    ['the conversation ..', { ...good, conversation_id: '..' }, 400, 'invalid_body', 'conversation_id'],
    ['a null conversation', { ...good, conversation_id: null }, 400, 'invalid_body', 'conversation_id'],
    ['an unknown field', { ...good, model: 'gpt-9' }, 400, 'invalid_body', 'model'],
    ['__proto__', '{"message":"hi","message_id":"m1","__proto__":{"x":1}}', 400, undefined, undefined],
  ])('refuses %s', async (_, body, status, code, field) => {
    const { url, broker } = await serve();
    const response = await post(url, body);
    expect(response.status).toBe(status);
    const told = await problem(response);
    if (code) expect(told.code).toBe(code);
    if (field) expect(told.field).toBe(field);
    const page = await broker.readPage({ channels: ['runs:*', 'events:runs'], after: BEGINNING, limit: 10 });
    expect(page.items).toEqual([]);
  });

  const ID_IS = 'must be 1 to 128 of A-Z a-z 0-9 _ . -, and neither . nor ..';
  it.each([
    ['no message', { message_id: 'm1' }, 'message: must be a text of 1 to 16000 characters'],
    ['a number', { ...good, message: 5 }, 'message: must be a text of 1 to 16000 characters'],
    ['blanks', { ...good, message: ' ' }, 'message: must be a text of 1 to 16000 characters'],
    [
      'too long',
      { ...good, message: 'x'.repeat(16_001) },
      'message: must be a text of 1 to 16000 characters',
    ],
    ['no id', { message: 'hi' }, `message_id: ${ID_IS}`],
    ['an id that is a list', { ...good, message_id: [] }, `message_id: ${ID_IS}`],
    ['no conversation', { ...good, conversation_id: null }, `conversation_id: ${ID_IS}`],
    [
      'an unknown field',
      { ...good, x: 1 },
      'x: unknown field; known are message, message_id, conversation_id',
    ],
    ['an empty body', '', 'the body is missing; send a JSON object'],
    ['a list', [], 'the body must be an object like {"message":"…","message_id":"…"}'],
  ])('says of %s what is allowed', async (_, body, detail) => {
    const { url } = await serve();
    expect((await problem(await post(url, body))).detail).toBe(detail);
  });

  it('says that the body is missing, also if there is no content type', async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/api/process`, { method: 'POST' });
    expect(await problem(response)).toMatchObject({
      code: 'invalid_body',
      detail: 'the body is missing; send {"message":"…","message_id":"…"}',
    });
  });

  it('refuses what is not sent as JSON, and more than 1 MiB', async () => {
    const { url } = await serve();
    const text = await post(url, JSON.stringify(good), { 'content-type': 'text/plain' });
    expect((await problem(text)).code).toBe('unsupported_media_type');
    const huge = await post(url, { ...good, message: 'x'.repeat(1_100_000) });
    expect((await problem(huge)).code).toBe('body_too_large');
  });

  it('refuses a cursor that is none', async () => {
    const { url } = await serve();
    const response = await post(url, good, { 'last-event-id': 'soon' });
    expect(await problem(response)).toMatchObject({ code: 'invalid_header', field: 'Last-Event-ID' });
  });

  it('limits how often an address may start runs', async () => {
    const { url } = await serve({ RATE_LIMIT_BURST: '2', RATE_LIMIT_PER_SECOND: '0.01' });
    const ask = () => post(url, { message: 'hi', message_id: id() }, { prefer: 'respond-async' });
    const first = await ask();
    expect(first.headers.get('ratelimit-limit')).toBe('2');
    expect(first.headers.get('ratelimit-remaining')).toBe('1');
    expect((await ask()).status).toBe(202);
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(90);
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    expect((await problem(refused)).code).toBe('rate_limited');
  });

  it('takes a token for a new run only: a resume and a refused repeat cost nothing', async () => {
    const { url } = await serve({ RATE_LIMIT_BURST: '1', RATE_LIMIT_PER_SECOND: '0.001' });
    const body = { message: 'Explain tides', message_id: id() };
    const whole = await frames(await post(url, body));
    const resumed = await post(url, body, { 'last-event-id': whole[3]?.id as string });
    expect(await frames(resumed)).toEqual(whole.slice(4));
    expect((await post(url, { ...body, message: 'Explain rain' })).status).toBe(409);
    expect((await post(url, { ...body, message_id: id() })).status).toBe(429);
    expect(await frames(await post(url, body))).toEqual(whole);
  });

  it('takes no token for a run that it cannot begin', async () => {
    const { url } = await serve(
      { MAX_RUNS: '1', RATE_LIMIT_BURST: '2', RATE_LIMIT_PER_SECOND: '0.001' },
      SILENT_MODELS_MS,
    );
    const ask = (message_id: string) => post(url, { message: 'hi', message_id }, { prefer: 'respond-async' });
    await ask('m1');
    expect((await ask('m2')).status).toBe(503);
    await fetch(`${url}/api/runs/m1/cancel`, { method: 'POST' });
    await vi.waitFor(async () => expect((await ask('m3')).status).toBe(202), PATIENCE_MS);
  });

  it('runs no more at a time than it may', async () => {
    const { url } = await serve({ MAX_RUNS: '1' }, SILENT_MODELS_MS);
    const ask = () => post(url, { message: 'hi', message_id: id() }, { prefer: 'respond-async' });
    expect((await ask()).status).toBe(202);
    const refused = await ask();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect((await problem(refused)).code).toBe('too_many_runs');
  });

  it('takes X-Forwarded-For for an address only where TRUST_PROXY says so', async () => {
    const limit = { RATE_LIMIT_BURST: '1', RATE_LIMIT_PER_SECOND: '0.01' };
    const ask = (url: string, from: string) =>
      post(url, { message: 'hi', message_id: id() }, { prefer: 'respond-async', 'x-forwarded-for': from });
    const direct = await serve(limit);
    await ask(direct.url, '10.0.0.1');
    expect((await ask(direct.url, '10.0.0.2')).status).toBe(429);
    const proxied = await serve({ ...limit, AUTH: 'off', TRUST_PROXY: '127.0.0.1' });
    await ask(proxied.url, '10.0.0.1');
    expect((await ask(proxied.url, '10.0.0.2')).status).toBe(202);
    expect((await ask(proxied.url, '10.0.0.2')).status).toBe(429);
  });
});

describe('what is observed', () => {
  it('is in /metrics by the GenAI names', async () => {
    const { url } = await serve();
    await frames(await post(url, { message: 'Explain tides', message_id: id() }));
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const call = 'gen_ai_operation_name="chat",gen_ai_provider_name="simulated",gen_ai_request_model="sim-1"';
    expect(metrics).toContain(`gen_ai_client_inference_duration_seconds_count{${call},error_type=""} 3`);
    expect(metrics).toContain(`gen_ai_client_inference_time_to_first_chunk_seconds_count{${call}} 3`);
    expect(metrics).toMatch(/gen_ai_client_inference_usage_output_tokens_total\{.*\} [1-9]/);
    expect(metrics).toContain(
      'gen_ai_workflow_duration_seconds_count{gen_ai_workflow_name="process",state="finished"} 1',
    );
  });

  it('is on logs:generation, without what was said', async () => {
    const { url, broker } = await serve();
    await frames(await post(url, { message: 'Explain xylophones', message_id: id() }));
    await vi.waitFor(async () => {
      const page = await broker.readPage({ channels: ['logs:generation'], after: BEGINNING, limit: 100 });
      expect(page.items).toHaveLength(6);
      expect(JSON.stringify(page.items.map(({ record }) => record?.entry))).not.toContain('xylophone');
    }, PATIENCE_MS);
  });
});

describe('the start', () => {
  it('fails where a key is missing, and says which', () => {
    const config = readGatewayConfig({ USE_LLM_MOCK: 'false', LOG_LEVEL: 'silent' });
    expect(() => createApp(config, new MemoryBroker(), createLogger('test', 'silent', true))).toThrow(
      /^llm-1, llm-2, llm-combine: api\.openai\.com asks for a key and LLM_KEY is not set; [^;]*$/,
    );
  });

  it('fails where the prompts file cannot be read, and says which', () => {
    const config = readGatewayConfig({ PROMPTS_FILE: '/nowhere/prompts.json', LOG_LEVEL: 'silent' });
    const start = () => createApp(config, new MemoryBroker(), createLogger('test', 'silent', true));
    expect(start).toThrow('PROMPTS_FILE /nowhere/prompts.json: cannot be read (ENOENT)');
  });
});
