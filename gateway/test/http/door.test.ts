// A call through the door is, for the client, the call that it would have made itself: the same bytes, at the same time, the same
// errors. And it is in the log while it happens.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test-support/process.ts';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { SimulatorServer } from '../../src/llm/simulator/simulator-server.ts';
import { comparable, rawCall } from '../door/raw-call.ts';
import { type Script, ScriptedService, wire } from '../door/scripted-service.ts';
import { type DoorGateway, openDoor } from './door-gateway.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function door(
  upstreams: Parameters<typeof openDoor>[0],
  env: Record<string, string> = {},
): Promise<DoorGateway> {
  const gateway = await openDoor(upstreams, env);
  closing.push(() => gateway.close());
  return gateway;
}

async function scripted(script: Script): Promise<ScriptedService> {
  const service = await ScriptedService.open(script);
  closing.push(() => service.close());
  return service;
}

async function simulated(tokenMs = 0): Promise<string> {
  const server = new SimulatorServer(new Simulator({ tokenMs }));
  closing.push(() => server.close());
  return server.listen(0);
}

const JSON_HEAD = ['Content-Type: application/json', 'Authorization: Bearer sk-client', 'X-Odd:  kept'];
const FIXED = ['Date: Sun, 29 Nov 2026 12:00:00 GMT', 'Content-Type: text/event-stream; charset=utf-8'];
const EVENT = (content: string) => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
const STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
const chat = (model: string, more: object = {}) =>
  JSON.stringify({ model, messages: [{ role: 'user', content: 'Explain tides' }], ...more });

describe('byte for byte, beside the same call without the door:', () => {
  const CALLS: [string, string, string | undefined][] = [
    ['a chat', '/chat/completions', chat('sim-1')],
    ['a streamed chat', '/chat/completions', chat('sim-1', { stream: true })],
    ['a tool call', '/chat/completions', chat('sim-tool-call', { stream: true })],
    ['a completion', '/completions', '{"model":"sim-1","prompt":"Hi","stream":true}'],
    ['a response', '/responses', '{"model":"sim-1","input":"Hi","stream":true}'],
    ['a whole response', '/responses', '{"model":"sim-1","input":"Hi"}'],
    ['embeddings', '/embeddings', '{"model":"sim-1","input":["a","b"]}'],
    ['the list of models', '/models', undefined],
    ['a refused key', '/chat/completions', chat('sim-401', { stream: true })],
    ['a limited rate', '/chat/completions', chat('sim-429', { stream: true })],
    ['an overloaded service', '/chat/completions', chat('sim-503')],
    ['an error in the stream', '/chat/completions', chat('sim-error-chunk', { stream: true })],
    ['a stream that is cut short', '/chat/completions', chat('sim-truncate', { stream: true })],
    ['a connection that dies', '/chat/completions', chat('sim-die', { stream: true })],
    ['a body that is no JSON', '/chat/completions', '{"model": oh'],
    ['no body', '/chat/completions', ''],
  ];
  it.each(CALLS)('%s', async (_, path, body) => {
    const baseUrl = await simulated();
    const { v1 } = await door(baseUrl);
    const [direct, through] = await Promise.all(
      [baseUrl, v1].map((base) => rawCall(base, path, JSON_HEAD, body)),
    );
    const dateless = (answer: typeof direct) => {
      const { headers, ...rest } = comparable(answer as NonNullable<typeof direct>);
      return { ...rest, headers: headers.filter((line) => !line.startsWith('Date:')) };
    };
    expect(dateless(through)).toEqual(dateless(direct));
  });

  const ODD: [string, string][] = [
    [
      'headers as they are spelt, twice, and in order',
      wire([...FIXED, 'x-A: 1', 'X-a: 2', 'X-Ratelimit-Remaining: 9'], ['{}']),
    ],
    ['a status of its own', wire(FIXED, ['{"error":{"message":"no"}}'], 'HTTP/1.1 418 Short And Stout')],
    ['a length', `HTTP/1.1 200 OK\r\n${FIXED.join('\r\n')}\r\nContent-Length: 5\r\n\r\nhello`],
    ['no body', `HTTP/1.1 204 No Content\r\n${FIXED[0]}\r\n\r\n`],
    [
      'a redirect',
      `HTTP/1.1 307 Temporary Redirect\r\n${FIXED[0]}\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n`,
    ],
    [
      'fields and events that nobody knows',
      wire(FIXED, ['event: odd\nid: 7\nretry: 1\ndata: {"new":[1]}\n\n', ': ping\n\n', STOP]),
    ],
    ['bytes that are no text', wire(FIXED, ['\u0000\u0001é\u0080', 'data: \uFFFD\n\n'])],
    [
      'a page instead of an answer',
      wire(
        [FIXED[0] as string, 'Content-Type: text/html'],
        ['<h1>Bad gateway</h1>'],
        'HTTP/1.1 502 Bad Gateway',
      ),
    ],
    ['an answer that says it is packed, and is not', wire([...FIXED, 'Content-Encoding: gzip'], ['plain'])],
    [
      'a hundred headers',
      wire([...FIXED, ...Array.from({ length: 100 }, (_, i) => `X-H-${i}: ${i}`)], ['{}']),
    ],
  ];
  it.each(ODD)('%s', async (_, bytes) => {
    const service = await scripted(({ socket }) => void socket.end(bytes));
    const { v1 } = await door(service.baseUrl);
    const [direct, through] = await Promise.all(
      [service.baseUrl, v1].map((base) => rawCall(base, '/chat/completions', JSON_HEAD, chat('m'))),
    );
    expect(comparable(through as never)).toEqual(comparable(direct as never));
  });

  it('an answer that is packed stays packed, and is read all the same', async () => {
    const packed = gzipSync(EVENT('Hello') + STOP);
    const service = await scripted(({ socket }) => {
      socket.write(
        `HTTP/1.1 200 OK\r\n${FIXED.join('\r\n')}\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`,
      );
      socket.end(packed);
    });
    const gateway = await door(service.baseUrl);
    const { body } = await rawCall(
      gateway.v1,
      '/chat/completions',
      [...JSON_HEAD, 'Accept-Encoding: gzip'],
      chat('m'),
    );
    expect(body.equals(packed)).toBe(true);
    expect((await gateway.calls()).map(({ msg }) => msg)).toContain('Hello');
  });

  it('the request comes to the service as the client sent it', async () => {
    const service = await scripted(({ socket }) => void socket.end(wire(FIXED, ['{}'])));
    const { v1 } = await door(service.baseUrl);
    const body = `{ "messages":[ {"role":"user","content":"\\u0041 é"} ],\n"model" : "m", "unknown":{"deep":[1e400]} }`;
    await rawCall(v1, '/chat/completions?api-version=2', [...JSON_HEAD, 'Cookie: a=b'], body);
    const [request] = service.requests;
    expect(request?.line).toBe('POST /v1/chat/completions?api-version=2 HTTP/1.1');
    expect(request?.body.toString()).toBe(body);
    expect(request?.names.slice(1, 4)).toEqual(['Content-Type', 'Authorization', 'X-Odd']);
    expect(request?.headers).toMatchObject({ authorization: 'Bearer sk-client', 'x-odd': 'kept' });
    expect(request?.headers.cookie).toBeUndefined();
  });
});

describe('at once', () => {
  it('each piece passes before the service sends the next', async () => {
    let client: Socket | undefined;
    const service = await scripted(async ({ socket }) => {
      // The next piece is sent only when the client has the one before: a piece that is held back would end this in a time-out.
      socket.write(`HTTP/1.1 200 OK\r\n${FIXED.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      await once(client as Socket, 'data');
      for (const piece of [EVENT('one'), EVENT('two'), EVENT('three')]) {
        socket.write(`${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`);
        await once(client as Socket, 'data');
      }
      socket.end('0\r\n\r\n');
    });
    const { v1 } = await door(service.baseUrl);
    const { body, whole } = await rawCall(v1, '/chat/completions', JSON_HEAD, chat('m'), (socket) => {
      client = socket;
    });
    expect([body.toString(), whole]).toEqual([EVENT('one') + EVENT('two') + EVENT('three'), true]);
  });

  it('the log has the pieces while the answer goes on', async () => {
    const go = Promise.withResolvers<void>();
    const service = await scripted(async ({ socket }) => {
      const first = EVENT('so far');
      socket.write(`HTTP/1.1 200 OK\r\n${FIXED.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      socket.write(`${Buffer.byteLength(first).toString(16)}\r\n${first}\r\n`);
      await go.promise;
      socket.end(`${Buffer.byteLength(STOP).toString(16)}\r\n${STOP}\r\n0\r\n\r\n`);
    });
    const gateway = await door(service.baseUrl);
    const answer = rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('m', { stream: true }));
    await eventually('the first piece', async () =>
      (await gateway.told('runs:*')).some(({ msg }) => msg === 'so far'),
    );
    expect((await gateway.told('runs:*')).map(({ event }) => event)).toEqual([
      'generation.started',
      'generation.delta',
    ]);
    go.resolve();
    await answer;
    expect((await gateway.calls()).at(-1)?.event).toBe('generation.finished');
  });

  it('a client that goes away ends the call to the service, before and in the middle of the answer', async () => {
    for (const begun of [false, true]) {
      const asked = Promise.withResolvers<Socket>();
      const service = await scripted(({ socket }) => {
        if (begun)
          socket.write(
            `HTTP/1.1 200 OK\r\n${FIXED.join('\r\n')}\r\nContent-Length: 999\r\n\r\n${EVENT('some')}`,
          );
        asked.resolve(socket);
      });
      const gateway = await door(service.baseUrl);
      let client: Socket | undefined;
      const answer = rawCall(
        gateway.v1,
        '/chat/completions',
        JSON_HEAD,
        chat('m', { stream: true }),
        (socket) => {
          client = socket;
        },
      ).catch(() => undefined);
      const upstream = await asked.promise;
      const closed = once(upstream, 'close');
      if (begun) await once(client as Socket, 'data');
      client?.destroy();
      await Promise.all([closed, answer]);
      const last = (await gateway.calls()).at(-1);
      expect(last).toMatchObject({
        event: 'generation.failed',
        level: 'info',
        attrs: {
          'error.type': 'cancelled',
          'gen_ai.response.finish_reasons': ['cancelled'],
          partial: begun,
        },
      });
    }
  });

  it('a client that reads slowly slows the service down, and memory holds little of the answer', async () => {
    const total = 64 * 1_048_576;
    let sent = 0;
    const service = await scripted(async ({ socket }) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${total}\r\n\r\n`,
      );
      const piece = Buffer.alloc(1_048_576, 'a');
      const closed = once(socket, 'close');
      while (sent < total && !socket.destroyed) {
        const isTaken = socket.write(piece);
        sent += piece.length;
        if (!isTaken) await Promise.race([new Promise((go) => socket.once('drain', go)), closed]);
      }
    });
    const gateway = await door(service.baseUrl);
    let client: Socket | undefined;
    const answer = rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('m'), (socket) => {
      client = socket;
      socket.pause();
    });
    let before = -1;
    await eventually('the service waits', () => {
      const rests = sent > 0 && sent === before;
      before = sent;
      return rests;
    });
    expect(sent).toBeLessThan(total / 2);
    client?.resume();
    const { body, whole } = await answer;
    expect([body.length, whole]).toEqual([total, true]);
  });
});

describe('the log', () => {
  it('says of a call what was asked, said, used, and how fast', async () => {
    const gateway = await door(await simulated());
    const body = chat('sim-1', { stream: true, temperature: 0.5, max_tokens: 500 });
    await rawCall(gateway.v1, '/chat/completions', [...JSON_HEAD, 'User-Agent: OpenAI/JS 7.59.0'], body);
    const entries = await gateway.calls();
    const [started, ...rest] = entries;
    expect(started).toMatchObject({
      event: 'generation.started',
      source: 'OpenAI/JS',
      attrs: {
        'gen_ai.request.model': 'sim-1',
        'gen_ai.request.temperature': 0.5,
        'gen_ai.request.max_tokens': 500,
        'gen_ai.input.messages': [{ role: 'user', content: 'Explain tides' }],
      },
    });
    const said = rest.filter(({ event }) => event === 'generation.delta');
    expect(said.map(({ msg }) => msg).join('')).toContain('tides');
    const finished = rest.at(-1);
    expect(finished).toMatchObject({
      event: 'generation.finished',
      attrs: { 'gen_ai.response.finish_reasons': ['stop'], 'gen_ai.usage.input_tokens': 3 },
    });
    for (const figure of [
      'gen_ai.usage.output_tokens',
      'gen_ai.response.time_to_first_chunk',
      'generation_tokens_per_s',
      'duration_s',
    ])
      expect(finished?.attrs?.[figure], figure).toBeGreaterThan(0);
    expect(new Set(entries.map(({ run, channel }) => `${run} ${channel}`)).size).toBe(1);
  });

  it('names the tools that a model calls', async () => {
    const gateway = await door(await simulated());
    const tools = [{ type: 'function', function: { name: 'weather' } }];
    for (const stream of [false, true])
      await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('sim-tool-call', { stream, tools }));
    const called = (await gateway.calls(2)).filter(({ event }) => event === 'tool.called');
    expect(called).toHaveLength(2);
    for (const { attrs } of called)
      expect(attrs).toMatchObject({
        'gen_ai.tool.name': 'weather',
        'gen_ai.tool.call.arguments': '{"query":"tides"}',
      });
  });

  it.each([
    ['sim-401', 'llm_unauthorized'],
    ['sim-429', 'llm_rate_limited'],
    ['sim-503', 'llm_unavailable'],
    ['sim-die', 'llm_interrupted'],
    ['sim-truncate', 'llm_truncated'],
    ['sim-error-chunk', 'llm_stream_error'],
  ])('says why %s failed, without the words of the service', async (model, code) => {
    const gateway = await door(await simulated());
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat(model, { stream: true }));
    const [last] = (await gateway.calls(1, 'logs:generation')).slice(-1);
    expect(last).toMatchObject({ event: 'generation.failed', attrs: { 'error.type': code } });
    expect(JSON.stringify(await gateway.told('logs:*', 'events:*'))).not.toContain('simulated-secret');
  });

  const QUOTA = JSON.stringify({
    error: {
      message: 'You exceeded your quota, sk-0123456789abcdef0123',
      type: 'x',
      code: 'insufficient_quota',
    },
  });

  it.each([
    ['owner', 'runs:*', true],
    ['off', 'logs:generation', false],
    ['shared', 'logs:generation', true],
  ])(
    'tells a quota that is used up from a rate to wait for, with PROXY_CONTENT=%s',
    async (content, channel, hasWords) => {
      const service = await scripted(
        ({ socket }) =>
          void socket.end(wire(FIXED.with(1, 'Content-Type: application/json'), [QUOTA], 'HTTP/1.1 429 No')),
      );
      const gateway = await door(service.baseUrl, { PROXY_CONTENT: content });
      await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('m'));
      const [last] = (await gateway.calls(1, channel)).slice(-1);
      expect(last?.attrs).toMatchObject({
        'error.type': 'llm_payment_required',
        'http.response.status_code': 429,
        service_code: 'insufficient_quota',
        ...(hasWords && { service_message: 'You exceeded your quota, ***' }),
      });
      const [copy] = (await gateway.calls(1, 'logs:generation')).slice(-1);
      expect(copy?.attrs).toMatchObject({ service_code: 'insufficient_quota' });
      if (content !== 'shared') expect(copy?.attrs).not.toHaveProperty('service_message');
    },
  );

  it('estimates the tokens of a tool call, where the service reports none', async () => {
    const call = {
      index: 0,
      id: 't',
      function: { name: 'write', arguments: JSON.stringify({ text: 'a'.repeat(400) }) },
    };
    const delta = `data: ${JSON.stringify({ choices: [{ delta: { tool_calls: [call] } }] })}\n\n`;
    const service = await scripted(({ socket }) => void socket.end(wire(FIXED, [delta, STOP])));
    const gateway = await door(service.baseUrl);
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('m', { stream: true }));
    const [last] = (await gateway.calls()).slice(-1);
    expect(last?.attrs).toMatchObject({ estimated: true });
    expect(last?.attrs?.['gen_ai.usage.output_tokens']).toBeGreaterThan(100);
  });

  it('of an answer that is not streamed nobody knows how fast it was written', async () => {
    const gateway = await door(await simulated());
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('sim-1'));
    const [last] = (await gateway.calls()).slice(-1);
    expect(last).toMatchObject({ event: 'generation.finished', msg: expect.not.stringContaining('tok/s') });
    expect(last?.attrs).not.toHaveProperty('generation_tokens_per_s');
  });

  it.each([
    ['owner', ['runs:', 'logs:generation'], true],
    ['off', ['logs:generation'], false],
    ['shared', ['logs:generation'], true],
  ])('PROXY_CONTENT=%s', async (content, channels, hasTexts) => {
    const gateway = await door(await simulated(), { PROXY_CONTENT: content });
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('sim-1', { stream: true }));
    await gateway.calls(1, 'logs:generation');
    const all = await gateway.told('*', 'runs:*');
    const about = all.filter(({ event = '' }) => event.startsWith('generation.'));
    expect(new Set(about.map(({ channel }) => channel.replace(/^runs:.*/, 'runs:')))).toEqual(
      new Set(channels),
    );
    expect(JSON.stringify(about).includes('Explain tides')).toBe(hasTexts);
    expect(about.some(({ event }) => event === 'generation.delta')).toBe(hasTexts);
    if (content === 'shared') return;
    const shared = JSON.stringify(await gateway.told('logs:*'));
    expect(shared).not.toMatch(/Explain tides|gen_ai\.input\.messages/);
    expect(shared).toContain('gen_ai.usage.output_tokens');
  });

  it.each(['owner', 'off', 'shared'])(
    'with PROXY_CONTENT=%s says that an answer could not be read along, and counts it, while the client has all of it',
    async (content) => {
      const long = `data: ${'a'.repeat(400_000)}\n\n${STOP}`;
      const service = await scripted(({ socket }) => void socket.end(wire(FIXED, [long])));
      const gateway = await door(service.baseUrl, { PROXY_CONTENT: content });
      const { body } = await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('m', { stream: true }));
      expect(body.toString()).toBe(long);
      for (const channel of content === 'owner' ? ['runs:*', 'logs:generation'] : ['logs:generation'])
        expect((await gateway.calls(1, channel)).at(-1)).toMatchObject({
          event: 'generation.finished',
          attrs: { unread: true },
        });
      const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
      expect(metrics).toContain('llm_streamer_door_unread_answers_total 1');
    },
  );

  it.each([
    ['text', Array.from({ length: 9 }, () => ({ content: 'a'.repeat(120_000) }))],
    ['tools', [{ tool_calls: Array.from({ length: 65 }, (_, index) => ({ index, id: `t${index}` })) }]],
    ['arguments', [{ tool_calls: [{ index: 0, function: { name: 'f', arguments: 'a'.repeat(65_537) } }] }]],
  ])('says that it shows only a part of an answer with more %s than fits', async (_, deltas) => {
    const events = deltas.map((delta) => `data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`);
    const service = await scripted(({ socket }) => void socket.end(wire(FIXED, [...events, STOP])));
    const gateway = await door(service.baseUrl);
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('m', { stream: true }));
    expect((await gateway.calls()).at(-1)).toMatchObject({
      event: 'generation.finished',
      attrs: { unread: true },
    });
  });

  it('a packed answer that breaks off is broken off, not unread', async () => {
    const packed = gzipSync(EVENT('Hello') + STOP).subarray(0, 30);
    const head = `${FIXED.join('\r\n')}\r\nContent-Encoding: gzip\r\nContent-Length: 999`;
    const service = await scripted(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
      socket.end(packed);
    });
    const gateway = await door(service.baseUrl);
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, chat('m', { stream: true }));
    const [last] = (await gateway.calls(1, 'logs:generation')).slice(-1);
    expect(last?.attrs).toMatchObject({ 'error.type': 'llm_interrupted', partial: false });
    expect(last?.attrs).not.toHaveProperty('unread');
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toContain('llm_streamer_door_unread_answers_total 0');
  });

  it('shows of a long conversation its last message', async () => {
    const gateway = await door(await simulated());
    const messages = [
      { role: 'user', content: 'x'.repeat(200_000) },
      { role: 'user', content: 'and then?' },
    ];
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, JSON.stringify({ messages, model: 'sim-1' }));
    expect((await gateway.calls())[0]?.attrs).toMatchObject({
      'gen_ai.input.messages': [{ role: 'user', content: 'and then?' }],
      earlier_messages: 1,
    });
  });

  it('shows of a long conversation only its size where its last message cannot be read', async () => {
    const service = await scripted(({ socket }) => void socket.end(wire(FIXED, ['{}'])));
    const gateway = await door(service.baseUrl);
    const messages = `["${'x'.repeat(200_000)}",${'['.repeat(100)}${']'.repeat(100)}]`;
    await rawCall(gateway.v1, '/chat/completions', JSON_HEAD, `{"model":"m","messages":${messages}}`);
    const [started] = await gateway.calls();
    expect(started?.attrs).toMatchObject({ content_bytes: messages.length });
    expect(started?.attrs).not.toHaveProperty(['gen_ai.input.messages']);
  });

  it('lists models without a word', async () => {
    const gateway = await door(await simulated());
    await rawCall(gateway.v1, '/models', []);
    expect(await gateway.told('runs:*', 'logs:generation')).toEqual([]);
  });
});
