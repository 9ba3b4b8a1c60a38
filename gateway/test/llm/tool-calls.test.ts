import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { LlmMessage, LlmRequest } from '../../src/llm/model.ts';
import { ProviderModel } from '../../src/llm/provider.ts';
import { ResilientModel } from '../../src/llm/resilient.ts';
import { ask, collect, timeoutsFor } from './collect.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A service that answers each request with the next of these bodies, and remembers what it was asked. */
async function service(...bodies: string[]) {
  const asked: Record<string, unknown>[] = [];
  server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    asked.push(JSON.parse(text) as Record<string, unknown>);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const body = bodies[Math.min(asked.length, bodies.length) - 1] ?? '';
    response.write(body);
    if (body.includes('[DONE]')) response.end();
    else response.destroy();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server?.once('listening', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return { asked, baseUrl };
}

const event = (delta: object, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
const calls = (...tool_calls: object[]) => event({ tool_calls });
const DONE = 'data: [DONE]\n\n';
const tool = { name: 'find', description: 'Finds.', parameters: { type: 'object', properties: {} } };
const offering = (baseUrl: string, messages?: LlmMessage[]): LlmRequest => ({
  ...ask({ baseUrl }),
  tools: [tool],
  ...(messages && { messages }),
});
const model = new ProviderModel(timeoutsFor());

describe('calls of tools', () => {
  it.each([
    [
      'in pieces',
      calls({ index: 0, id: 'a', function: { name: 'find', arguments: '' } }) +
        calls({ index: 0, function: { arguments: '{"q":' } }) +
        calls({ index: 0, function: { arguments: '"x"}' } }) +
        event({}, 'tool_calls'),
    ],
    [
      'whole, and ended by stop',
      calls({ index: 0, id: 'a', function: { name: 'find', arguments: '{"q":"x"}' } }) + event({}, 'stop'),
    ],
    [
      'without an id',
      calls({ index: 0, function: { name: 'find', arguments: '{"q":"x"}' } }) + event({}, 'stop'),
    ],
    [
      'without an index',
      calls({ id: 'a', function: { name: 'find', arguments: '{"q":"x"}' } }) + event({}, 'tool_calls'),
    ],
  ])('come %s, and there is nothing else to say', async (_, body) => {
    const { baseUrl, asked } = await service(body + DONE);
    const { calls: made, finish, error } = await collect(model, offering(baseUrl));
    expect(error).toBeUndefined();
    expect(made).toMatchObject([{ name: 'find', args: { q: 'x' } }]);
    expect(made[0]?.id).toMatch(/./);
    expect(finish?.firstContentMs).toBeGreaterThan(0);
    expect(asked[0]?.tools).toEqual([{ type: 'function', function: tool }]);
  });

  it.each([
    ['no JSON', '{"q":'],
    ['a list', '[1]'],
    ['too long', `{"q":"${'x'.repeat(17_000)}"}`],
    ['too deep', `{"q":${'['.repeat(40)}${']'.repeat(40)}}`],
  ])('with arguments that are %s are broken, and their arguments are `{}`', async (_, text) => {
    const body = calls({ index: 0, id: 'a', function: { name: 'find', arguments: text } });
    const { baseUrl } = await service(body + event({}, 'tool_calls') + DONE);
    const { calls: made } = await collect(model, offering(baseUrl));
    expect(made).toEqual([{ id: 'a', name: 'find', args: {}, isBroken: true }]);
  });

  it('without arguments have none', async () => {
    const body = calls({ index: 0, id: 'a', function: { name: 'find', arguments: '' } });
    const { baseUrl } = await service(body + event({}, 'tool_calls') + DONE);
    const { calls: made } = await collect(model, offering(baseUrl));
    expect(made).toEqual([{ id: 'a', name: 'find', args: {} }]);
  });

  it('without a name are no answer, and more than 128 are too long a one', async () => {
    const nameless = await service(
      calls({ index: 0, id: 'a', function: { arguments: '{}' } }) + event({}, 'tool_calls') + DONE,
    );
    expect((await collect(model, offering(nameless.baseUrl))).error?.code).toBe('llm_invalid_response');
    server?.close();
    const many = Array.from({ length: 129 }, (_, index) =>
      calls({ index, id: `c${index}`, function: { name: 'find', arguments: '{}' } }),
    );
    const { baseUrl } = await service(many.join('') + event({}, 'tool_calls') + DONE);
    const { calls: made, error } = await collect(model, offering(baseUrl));
    expect(error?.code).toBe('llm_too_long');
    expect(made).toEqual([]);
  });

  it('that break off are asked for again, since nothing was done and nobody has seen them', async () => {
    const begun = calls({ index: 0, id: 'a', function: { name: 'find', arguments: '{"q"' } });
    const whole =
      calls({ index: 0, id: 'b', function: { name: 'find', arguments: '{}' } }) + event({}, 'tool_calls');
    const { baseUrl, asked } = await service(begun, whole + DONE);
    const resilient = new ResilientModel(model, { retries: 1, breakAfter: 5, pauseMs: 1_000 });
    const { calls: made, error } = await collect(resilient, offering(baseUrl));
    expect(error).toBeUndefined();
    expect(made).toMatchObject([{ id: 'b' }]);
    expect(asked).toHaveLength(2);
  });

  it('and their results go back as the protocol wants them, broken arguments as an empty object', async () => {
    const { baseUrl, asked } = await service(event({ content: 'Fine.' }) + event({}, 'stop') + DONE);
    const made = { id: 'a', name: 'find', args: {}, isBroken: true } as const;
    await collect(
      model,
      offering(baseUrl, [
        { role: 'user', content: 'Q' },
        { role: 'assistant', content: '', calls: [made] },
        { role: 'tool', call: made, content: 'R' },
      ]),
    );
    expect(asked[0]?.messages).toEqual([
      { role: 'user', content: 'Q' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'find', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'a', content: 'R' },
    ]);
  });
});
