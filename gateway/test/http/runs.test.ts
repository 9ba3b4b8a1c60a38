import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { draft } from '@llm-streamer/shared/entry.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { describe, expect, it, vi } from 'vitest';
import { turnEntry } from '../../src/runs/conversation.ts';
import { PATIENCE_MS } from '../llm/collect.ts';
import { connections, frames, id, post, problem, SILENT_MODELS_MS, serve } from './run-gateway.ts';

describe('/api/runs', () => {
  it('lists runs with state, models, duration and tokens, and shows one with its lanes', async () => {
    const { url } = await serve();
    const message_id = id();
    await frames(await post(url, { message: 'Explain tides', message_id }));
    const { runs } = (await (await fetch(`${url}/api/runs`)).json()) as { runs: unknown[] };
    expect(runs).toMatchObject([
      {
        message_id,
        state: 'finished',
        models: [{ source: 'llm-1', provider: 'simulated', model: 'sim-1' }, {}, { source: 'llm-combine' }],
        duration_ms: expect.any(Number),
        usage: { output_tokens: expect.any(Number) },
      },
    ]);
    const run = (await (await fetch(`${url}/api/runs/${message_id}`)).json()) as {
      lanes: { text: string }[];
    };
    expect(run.lanes[0]?.text).toMatch(/^Picture tides/);
    expect(run).not.toHaveProperty('trimmed');
  });

  it('shows what is left of a run whose first entries are no longer kept, and says so', async () => {
    const { url } = await serve({ RETENTION_ENTRIES: '4' });
    const message_id = id();
    await post(url, { message: 'Explain tides', message_id }, { prefer: 'respond-async' });
    await vi.waitFor(async () => {
      const run = await (await fetch(`${url}/api/runs/${message_id}`)).json();
      expect(run).toMatchObject({ state: 'finished' });
    }, PATIENCE_MS);
    const run = (await (await fetch(`${url}/api/runs/${message_id}`)).json()) as {
      trimmed?: boolean;
      lanes: { lane: string; role: string; model: string; text: string; state: string }[];
    };
    expect(run.lanes).toMatchObject([
      { lane: 'llm-1', role: 'task', model: 'sim-1' },
      { lane: 'llm-2', role: 'task', model: 'sim-1' },
      { lane: 'llm-combine', role: 'combiner', model: 'sim-1', state: 'finished' },
    ]);
    expect(run.lanes[2]?.text).not.toBe('');
    expect(run.trimmed).toBe(true);
  });

  it('shows as much of very long texts as an answer may hold, and says that they are cut', async () => {
    const { url, broker } = await serve({}, SILENT_MODELS_MS);
    const message_id = id();
    await post(url, { message: 'Explain tides', message_id }, { prefer: 'respond-async' });
    const delta = { time: 1, channel: `runs:${message_id}`, source: 'x', level: 'debug' } as const;
    const fields = { ...delta, event: 'generation.delta', msg: 'x'.repeat(60_000), attrs: { lane: 'llm-2' } };
    for (let i = 0; i < 50; i++) await broker.publish([draft(fields)]);
    const failed = { event: 'generation.failed', msg: 'The model stopped.', attrs: { lane: 'llm-2' } };
    await broker.publish([draft({ ...delta, ...failed })]);
    const run = (await (await fetch(`${url}/api/runs/${message_id}`)).json()) as {
      cut?: boolean;
      lanes: { lane: string; text: string; error?: { message: string } }[];
    };
    expect(run.cut).toBe(true);
    const cut = run.lanes.find(({ lane }) => lane === 'llm-2');
    expect(cut?.error?.message).toBe('The model stopped.');
    const length = cut?.text.length ?? 0;
    expect(length).toBeGreaterThan(1_900_000);
    expect(length).toBeLessThanOrEqual(2_097_152);
    await fetch(`${url}/api/runs/${message_id}/cancel`, { method: 'POST' });
  });

  it('cancels a run, and its clients get an event that says so', async () => {
    const { url } = await serve({}, SILENT_MODELS_MS);
    const message_id = id();
    const watching = frames(await post(url, { message: 'Explain tides', message_id }));
    await vi.waitFor(async () => {
      const run = (await (await fetch(`${url}/api/runs/${message_id}`)).json()) as {
        lanes?: { state: string }[];
      };
      expect(run.lanes?.[0]?.state).toBe('streaming');
    }, PATIENCE_MS);
    const cancelled = await fetch(`${url}/api/runs/${message_id}/cancel`, { method: 'POST' });
    expect(await cancelled.json()).toMatchObject({ state: 'cancelled', code: 'cancelled' });
    expect((await watching).at(-1)?.json).toMatchObject({
      code: 'cancelled',
      final: true,
      status: 'Cancelled',
    });
    const again = await fetch(`${url}/api/runs/${message_id}/cancel`, { method: 'POST' });
    expect(await again.json()).toMatchObject({ state: 'cancelled' });
  });

  it.each([
    ['no body at all', {}],
    ['an empty form, as curl -d "" sends', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['empty JSON', { 'content-type': 'application/json' }],
  ])('cancels a run by a request with %s', async (_, headers) => {
    const { url } = await serve({}, SILENT_MODELS_MS);
    await post(url, { message: 'Explain tides', message_id: 'm1' }, { prefer: 'respond-async' });
    const response = await fetch(`${url}/api/runs/m1/cancel`, { method: 'POST', headers, body: '' });
    expect(await response.json()).toMatchObject({ state: 'cancelled' });
  });

  it.each([
    ['GET', '/api/runs/none', 404, 'run_not_found'],
    ['GET', '/api/runs/none/stream', 404, 'run_not_found'],
    ['POST', '/api/runs/none/cancel', 404, 'run_not_found'],
    ['GET', '/api/runs/none/cancel', 405, 'method_not_allowed'],
    ['DELETE', '/api/runs/none/cancel', 405, 'method_not_allowed'],
    ['GET', '/api/runs/a%20b', 400, 'invalid_query'],
    ['GET', '/api/runs?limit=0', 400, 'invalid_query'],
    ['GET', '/api/runs?limit=x', 400, 'invalid_query'],
    ['GET', '/api/conversations/none', 404, 'conversation_not_found'],
  ])('%s %s is %i', async (method, path, status, code) => {
    const { url } = await serve();
    const response = await fetch(`${url}${path}`, { method });
    expect(response.status).toBe(status);
    expect((await problem(response)).code).toBe(code);
  });

  it('resumes by `lastEventId` as well, and has nothing more for who has seen the end', async () => {
    const { url } = await serve();
    const message_id = id();
    const whole = await frames(await post(url, { message: 'Explain tides', message_id }));
    const stream = (at: string) => fetch(`${url}/api/runs/${message_id}/stream?lastEventId=${at}`);
    expect(await frames(await stream(whole[4]?.id as string))).toEqual(whole.slice(5));
    expect((await stream(whole.at(-1)?.id as string)).status).toBe(204);
  });

  it('keeps a quiet stream alive', async () => {
    const { url } = await serve({ SSE_KEEPALIVE_MS: '100' }, SILENT_MODELS_MS);
    const response = await post(url, { message: 'Explain tides', message_id: id() });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      text += decoder.decode(chunk);
      if (text.includes(': ping\n\n')) break;
    }
    expect(text).toMatch(/^retry: 3000\n\n/);
  });

  it('closes a stream that takes nothing, and only that', async () => {
    const { url, app, broker } = await serve({ SSE_STALL_MS: '3000' }, SILENT_MODELS_MS);
    const message_id = id();
    await post(url, { message: 'Explain tides', message_id }, { prefer: 'respond-async' });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const answered = once(socket, 'data');
    socket.write(`GET /api/runs/${message_id}/stream HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await answered;
    socket.pause();
    const reading = frames(await fetch(`${url}/api/runs/${message_id}/stream`));
    const said = {
      time: 1,
      channel: `runs:${message_id}`,
      source: 'x',
      level: 'info',
      event: 'generation.delta',
    } as const;
    for (let i = 0; i < 400; i++) {
      await broker.publish([draft({ ...said, msg: 'x'.repeat(60_000) })]);
      await immediate(); // who reads shares this thread
    }
    await vi.waitFor(async () => expect(await connections(app)).toBeLessThan(3), PATIENCE_MS);
    socket.destroy();
    await fetch(`${url}/api/runs/${message_id}/cancel`, { method: 'POST' });
    const all = await reading;
    expect(all.filter(({ json }) => json.message?.length === 60_000)).toHaveLength(400);
    expect(all.at(-1)?.json.code).toBe('cancelled');
  });

  it('opens no more streams than it may', async () => {
    const { url } = await serve({ MAX_CONNECTIONS: '1', SSE_RETRY_MS: '1234' }, SILENT_MODELS_MS);
    const message_id = id();
    const watching = frames(await post(url, { message: 'Explain tides', message_id }));
    const refused = await fetch(`${url}/api/runs/${message_id}/stream`);
    expect(refused.status).toBe(503);
    expect((await problem(refused)).code).toBe('over_limit');
    // A native EventSource would not reconnect after another status.
    const headers = { accept: 'text/event-stream' };
    const browser = await fetch(`${url}/api/runs/${message_id}/stream`, { headers });
    expect([browser.status, await browser.text()]).toEqual([200, 'retry: 1234\n\n']);
    await fetch(`${url}/api/runs/${message_id}/cancel`, { method: 'POST' });
    await watching;
  });

  it('tells the watchers of its runs when the gateway stops', async () => {
    const { url, app } = await serve({}, SILENT_MODELS_MS);
    const watching = frames(await post(url, { message: 'Explain tides', message_id: id() }));
    await app.close();
    expect((await watching).at(-1)?.json).toMatchObject({ code: 'gateway_stopped', final: true });
  });
});

describe('/api/conversations', () => {
  it('gives the turns', async () => {
    const { url } = await serve();
    const message_id = id();
    await frames(await post(url, { message: 'What is rust?', message_id, conversation_id: 'c1' }));
    const response = await fetch(`${url}/api/conversations/c1`);
    expect(await response.json()).toMatchObject({
      conversation_id: 'c1',
      turns: [
        { role: 'user', message: 'What is rust?', message_id },
        { role: 'assistant', message_id },
      ],
    });
  });

  it('gives the newest turns of a long one, oldest first, and says that there are earlier ones', async () => {
    const { url, broker } = await serve();
    const turn = (text: string) =>
      draft(turnEntry(ownedKey('', 'c1'), { role: 'user', text, run: 'r', time: 1 }, 'test'));
    for (let i = 0; i < 60; i++) await broker.publish([turn(`${i} ${'x'.repeat(60_000)}`)]);
    const read = async () =>
      (await (await fetch(`${url}/api/conversations/c1`)).json()) as {
        trimmed?: boolean;
        turns: { message: string }[];
      };
    const { trimmed, turns } = await read();
    const numbers = turns.map(({ message }) => Number(message.split(' ')[0]));
    expect(trimmed).toBe(true);
    expect(numbers.length).toBeGreaterThan(30);
    expect(numbers.length).toBeLessThan(60);
    expect(numbers).toEqual(Array.from(numbers, (_, i) => 60 - numbers.length + i));
  });

  it('keeps the longest message whole, in any script', async () => {
    const { url } = await serve();
    const message = '漢'.repeat(16_000);
    await frames(await post(url, { message, message_id: id(), conversation_id: 'c1' }));
    const { turns } = (await (await fetch(`${url}/api/conversations/c1`)).json()) as {
      turns: { message: string }[];
    };
    expect(turns[0]?.message).toBe(message);
  });

  it.each(['runs:m1', 'conversations:c1'])('nobody can publish into %s', async (channel) => {
    const { url } = await serve();
    const response = await fetch(`${url}/api/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channel, msg: 'I said this', event: 'run.finished' }),
    });
    expect((await problem(response)).code).toBe('channel_reserved');
  });
});
