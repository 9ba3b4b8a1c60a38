import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProviderModel } from '../../src/llm/provider.ts';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { SimulatorServer } from '../../src/llm/simulator/simulator-server.ts';
import { ask, collect, PATIENCE_MS, timeoutsFor } from './collect.ts';

const fast = { chunkTokens: 2, tokenMs: 0 };

const network = new Simulator(fast);
const server = new SimulatorServer(network);
let baseUrl: string;
beforeAll(async () => {
  baseUrl = await server.listen(0);
});
afterAll(() => server.close());
afterEach(() => vi.restoreAllMocks());

const inside = new Simulator(fast);
const faces = [
  { face: 'in the process', fetch: inside.fetch, target: () => ({}) },
  { face: 'over HTTP', fetch: globalThis.fetch, target: () => ({ baseUrl, key: 'the-key' }) },
];

describe.each(faces)('a model $face', ({ fetch, target }) => {
  const model = new ProviderModel(timeoutsFor(), fetch);

  it('streams reasoning, then text, then usage and times', async () => {
    const { text, reasoning, finish, error } = await collect(model, ask(target()));
    expect(error).toBeUndefined();
    expect(text).toMatch(/^In short, gravity /);
    expect(reasoning).toContain('gravity');
    expect(finish).toMatchObject({ reason: 'stop', responseModel: 'sim-1', usage: { reported: true } });
    expect(finish?.usage.outputTokens).toBeGreaterThan(finish?.usage.reasoningTokens ?? Number.NaN);
    expect(finish?.usage.inputTokens).toBeGreaterThan(5);
    expect(finish?.durationMs).toBeGreaterThanOrEqual(finish?.firstContentMs ?? Number.NaN);
  });

  it('ends with `length` at the limit of tokens', async () => {
    const { finish, error } = await collect(model, { ...ask(target()), maxTokens: 5 });
    expect(error).toBeUndefined();
    expect(finish?.reason).toBe('length');
  });

  it.each(['sim-think', 'sim-think-end', 'sim-whole', 'sim-choices', 'sim-after-done'])(
    '%s comes out as any other answer',
    async (manner) => {
      const { text, reasoning, finish } = await collect(model, ask({ ...target(), model: manner }));
      expect(text).toMatch(/^In short, gravity .* against a primary source\.$/s);
      expect(reasoning).toMatch(/^The question is about gravity.* careful with\.\s*$/s);
      expect(finish?.reason).toBe('stop');
    },
  );

  it.each([
    ['sim-401', 'llm_unauthorized', { httpStatus: 401 }],
    ['sim-429', 'llm_rate_limited', { httpStatus: 429, retryAfterMs: 1000 }],
    ['sim-503', 'llm_unavailable', { httpStatus: 503 }],
    ['sim-hang-headers', 'llm_no_first_content', {}],
    ['sim-hang-body', 'llm_no_first_content', {}],
    ['sim-tool-call', 'llm_tool_call', {}],
    ['sim-endless-error', 'llm_rejected', { httpStatus: 400 }],
  ])('%s fails as %s before any content', async (fault, code, details) => {
    const { text, error } = await collect(
      new ProviderModel(timeoutsFor(fault), fetch),
      ask({ ...target(), model: fault }),
    );
    expect(text).toBe('');
    expect(error).toMatchObject({ code, ...details });
  });

  it.each([
    ['sim-stall', 'llm_stalled'],
    ['sim-die', 'llm_interrupted'],
    ['sim-truncate', 'llm_truncated'],
    ['sim-error-chunk', 'llm_stream_error'],
    ['sim-filter', 'llm_filtered'],
    ['sim-endless-line', 'llm_too_long'],
  ])('%s fails as %s and keeps what was said before', async (fault, code) => {
    const { text, finish, error } = await collect(
      new ProviderModel(timeoutsFor(fault), fetch),
      ask({ ...target(), model: fault }),
    );
    expect(text).toMatch(/^In short, /);
    expect(finish).toBeUndefined();
    expect(error?.code).toBe(code);
  });
});

describe('a failed call', () => {
  it.each(['sim-401', 'sim-429', 'sim-503', 'sim-error-chunk', 'sim-die'])(
    '%s tells neither prompt, key nor the words of the service, and prints nothing',
    async (fault) => {
      const printed = vi.spyOn(console, 'error');
      const warned = vi.spyOn(console, 'warn');
      const request = ask({ baseUrl, key: 'the-key', model: fault }, 'my private prompt');
      const { error } = await collect(new ProviderModel(timeoutsFor()), request);
      const shown = `${JSON.stringify(error)} ${error?.message} ${error?.stack} ${String(error?.cause)}`;
      expect(shown).not.toMatch(/simulated-secret|the-key|private|127\.0\.0\.1/);
      expect(printed).not.toHaveBeenCalled();
      expect(warned).not.toHaveBeenCalled();
    },
  );

  it('is `llm_unreachable` if no server listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const target = { baseUrl: `http://127.0.0.1:${port}/v1` };
    const { error } = await collect(new ProviderModel(timeoutsFor()), ask(target));
    expect(error).toMatchObject({ code: 'llm_unreachable' });
  });

  it('is `llm_not_found` for a wrong address and `llm_invalid_response` for a page', async () => {
    const page = createServer((request, response) => {
      response.writeHead(request.url?.startsWith('/page') ? 200 : 404, { 'content-type': 'text/html' });
      response.end('<h1>simulated-secret</h1>');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => page.once('listening', resolve));
    const host = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
    const model = new ProviderModel(timeoutsFor());
    const missing = await collect(model, ask({ baseUrl: `${host}/none` }));
    const html = await collect(model, ask({ baseUrl: `${host}/page` }));
    page.close();
    expect(missing.error?.code).toBe('llm_not_found');
    expect(html.error).toMatchObject({ code: 'llm_invalid_response' });
  });

  it('is `llm_truncated` for a stream of nothing', async () => {
    const headers = { 'content-type': 'text/event-stream; charset=utf-8' };
    const empty = new ProviderModel(timeoutsFor(), async () => new Response('', { headers }));
    expect((await collect(empty, ask({}))).error?.code).toBe('llm_truncated');
  });

  it('is `llm_invalid_response` for a redirect, which gets the prompt and the key nowhere else', async () => {
    let followed = 0;
    const elsewhere = createServer((_, response) => {
      followed++;
      response.end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => elsewhere.once('listening', resolve));
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/v1`;
    const moved = createServer((_, response) => {
      response.writeHead(307, { location }).end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => moved.once('listening', resolve));
    const target = {
      baseUrl: `http://127.0.0.1:${(moved.address() as AddressInfo).port}/v1`,
      key: 'the-key',
    };
    const { error } = await collect(new ProviderModel(timeoutsFor()), ask(target));
    moved.close();
    elsewhere.close();
    expect(error).toMatchObject({ code: 'llm_invalid_response' });
    expect(followed).toBe(0);
  });
});

describe('a reader that stops', () => {
  const slow = new Simulator({ chunkTokens: 1, tokenMs: 5 });
  const slowServer = new SimulatorServer(slow);
  let slowUrl: string;
  beforeAll(async () => {
    slowUrl = await slowServer.listen(0);
  });
  afterAll(() => slowServer.close());

  const model = new ProviderModel(timeoutsFor());
  const callOf = (name: string) => slow.calls.find((call) => call.model === name);

  it('by a signal gets `cancelled` and the service stops', async () => {
    const stop = new AbortController();
    const request = ask({ baseUrl: slowUrl, model: 'stopped-by-signal' });
    const stream = model.stream(request, stop.signal)[Symbol.asyncIterator]();
    await stream.next();
    stop.abort();
    await expect(stream.next()).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(callOf('stopped-by-signal')?.state).toBe('aborted'), PATIENCE_MS);
  });

  it('has the service make no further chunk once the abort has arrived', async () => {
    const stop = new AbortController();
    const request = ask({ baseUrl: slowUrl, model: 'aborted' });
    const stream = model.stream(request, stop.signal)[Symbol.asyncIterator]();
    await stream.next();
    stop.abort();
    await vi.waitFor(() => expect(callOf('aborted')?.state).toBe('aborted'), PATIENCE_MS);
    const chunks = callOf('aborted')?.chunks;
    await collect(model, ask({ baseUrl: slowUrl, model: 'whole' }));
    expect(callOf('whole')?.chunks).toBeGreaterThan(chunks ?? Number.NaN);
    expect(callOf('aborted')?.chunks).toBe(chunks);
  });

  it('by leaving the loop stops the service too', async () => {
    for await (const _ of model.stream(
      ask({ baseUrl: slowUrl, model: 'left' }),
      new AbortController().signal,
    ))
      break;
    await vi.waitFor(() => expect(callOf('left')?.state).toBe('aborted'), PATIENCE_MS);
  });

  it('before the first content needs not wait for it', async () => {
    const stop = new AbortController();
    const hanging = collect(model, ask({ baseUrl: slowUrl, model: 'sim-hang-headers' }), stop.signal);
    await vi.waitFor(() => expect(callOf('sim-hang-headers')).toBeDefined(), PATIENCE_MS);
    stop.abort();
    expect((await hanging).error?.code).toBe('cancelled');
    await vi.waitFor(() => expect(callOf('sim-hang-headers')?.state).toBe('aborted'), PATIENCE_MS);
  });

  it('before the call makes none', async () => {
    const { error } = await collect(model, ask({ baseUrl: slowUrl, model: 'never' }), AbortSignal.abort());
    expect(error?.code).toBe('cancelled');
    expect(callOf('never')).toBeUndefined();
  });
});

describe('the request', () => {
  const bodyFor = async (provider: string) => {
    let sent: Record<string, unknown> = {};
    let authorization: string | null = null;
    const model = new ProviderModel(timeoutsFor(), async (input, init) => {
      const request = new Request(input, init);
      authorization = request.headers.get('authorization');
      sent = (await request.clone().json()) as Record<string, unknown>;
      return inside.fetch(request);
    });
    await collect(model, { ...ask({ provider, key: 'the-key' }), maxTokens: 9, temperature: 0.3 });
    return { sent, authorization };
  };

  it('carries key, temperature, limit and the wish for usage', async () => {
    const { sent, authorization } = await bodyFor('simulated');
    expect(authorization).toBe('Bearer the-key');
    expect(sent).toMatchObject({ temperature: 0.3, max_tokens: 9, stream_options: { include_usage: true } });
  });

  it('names the limit as OpenAI wants it for OpenAI alone', async () => {
    const { sent } = await bodyFor('openai');
    expect(sent).toMatchObject({ max_completion_tokens: 9 });
    expect(sent).not.toHaveProperty('max_tokens');
  });
});
