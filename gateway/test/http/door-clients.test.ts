// The clients that people use, unchanged, through the door: what they give their programs is what they give without it.

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HumanMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Simulator } from '../../src/llm/simulator/simulator.ts';
import { SimulatorServer } from '../../src/llm/simulator/simulator-server.ts';
import { type DoorGateway, openDoor } from './door-gateway.ts';

const simulator = new Simulator({ tokenMs: 0 });
const server = new SimulatorServer(simulator);
let direct: string;
let gateway: DoorGateway;
beforeAll(async () => {
  direct = await server.listen(0);
  gateway = await openDoor(direct);
});
afterAll(async () => {
  await gateway.close();
  await server.close();
});

/** What a program gets without the door and through it; `use` makes a client and uses it. */
async function both<T>(use: (baseURL: string) => Promise<T>): Promise<[T, T]> {
  return [await use(direct), await use(gateway.v1)];
}

async function same<T>(use: (baseURL: string) => Promise<T>): Promise<T> {
  const [without, through] = await both(use);
  expect(through).toEqual(without);
  return through;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const messages = [{ role: 'user' as const, content: 'Explain tides' }];
const PARAMETERS = { type: 'object' as const, properties: { query: { type: 'string' as const } } };
const TOOLS = [{ type: 'function' as const, function: { name: 'look_up', parameters: PARAMETERS } }];

describe('the official client of OpenAI', () => {
  const client = (baseURL: string) => new OpenAI({ baseURL, apiKey: 'sk-test', maxRetries: 0 });

  it('chats', async () => {
    const answer = await same((url) => client(url).chat.completions.create({ model: 'sim-1', messages }));
    expect(answer.choices[0]?.message.content).toContain('tides');
  });

  it('streams', async () => {
    const chunks = await same(async (url) =>
      all(await client(url).chat.completions.create({ model: 'sim-1', messages, stream: true })),
    );
    expect(chunks.length).toBeGreaterThan(10);
  });

  it('gets tool calls, streamed and whole', async () => {
    const request = { model: 'sim-tool-call', messages, tools: TOOLS };
    const whole = await same((url) => client(url).chat.completions.create(request));
    expect(whole.choices[0]?.message.tool_calls).toHaveLength(1);
    const streamed = await same((url) => client(url).chat.completions.stream(request).finalChatCompletion());
    expect(streamed.choices[0]?.finish_reason).toBe('tool_calls');
  });

  it('uses responses, streamed and whole', async () => {
    const request = { model: 'sim-1', input: 'Explain tides' };
    expect((await same((url) => client(url).responses.create(request))).output_text).toContain('tides');
    const events = await same(async (url) =>
      all(await client(url).responses.create({ ...request, stream: true })),
    );
    expect(events.at(-1)?.type).toBe('response.completed');
  });

  it('uses completions, embeddings and the list of models', async () => {
    await same((url) => client(url).completions.create({ model: 'sim-1', prompt: 'Explain tides' }));
    const made = await same((url) => client(url).embeddings.create({ model: 'sim-1', input: ['a', 'b'] }));
    expect(made.data[1]?.embedding).toHaveLength(8);
    expect((await same(async (url) => all(await client(url).models.list()))).length).toBe(1);
  });

  it.each(['sim-401', 'sim-429', 'sim-503', 'sim-error-chunk', 'sim-die'])(
    'gets the error of %s',
    async (model) => {
      const failure = await same((url) =>
        client(url)
          .chat.completions.create({ model, messages, stream: true })
          .then(all)
          .then(
            () => 'no error',
            ({ name, message, status, code, type }) => ({ name, message, status, code, type }),
          ),
      );
      expect(failure).not.toBe('no error');
    },
  );

  it('aborts, and the service stops', async () => {
    const stream = await client(gateway.v1).chat.completions.create({
      model: 'sim-stall',
      messages,
      stream: true,
    });
    for await (const _ of stream) break; // leaving the loop aborts the request
    await expect
      .poll(() => simulator.calls.findLast(({ model }) => model === 'sim-stall')?.state)
      .toBe('aborted');
  });
});

describe('the AI SDK', () => {
  const model = (baseURL: string, name: string) =>
    createOpenAICompatible({ name: 'any', baseURL, apiKey: 'sk-test', includeUsage: true })(name);
  const tools = {
    look_up: tool({
      inputSchema: jsonSchema<{ query: string }>(PARAMETERS),
      execute: async ({ query }) => `about ${query}`,
    }),
  };

  it('answers, streams, and goes through a loop of tools', async () => {
    const answer = await same(
      async (url) => (await generateText({ model: model(url, 'sim-1'), messages })).text,
    );
    expect(answer).toContain('tides');
    const said = await same(async (url) =>
      all(streamText({ model: model(url, 'sim-1'), messages }).textStream),
    );
    expect(said.join('')).toContain('tides');
    const steps = await same(async (url) => {
      const looped = streamText({
        model: model(url, 'sim-tool-call'),
        messages,
        tools,
        stopWhen: stepCountIs(3),
      });
      await looped.consumeStream();
      return (await looped.steps).map(({ finishReason, text, toolCalls }) => [
        finishReason,
        text,
        toolCalls.length,
      ]);
    });
    expect(steps.map(([reason]) => reason)).toEqual(['tool-calls', 'stop']);
  });
});

describe('LangChain', () => {
  const model = (baseURL: string, name: string) =>
    new ChatOpenAI({ model: name, apiKey: 'sk-test', maxRetries: 0, configuration: { baseURL } });

  it('answers, streams, calls tools and embeds', async () => {
    const said = await same(
      async (url) => (await model(url, 'sim-1').invoke([new HumanMessage('Explain tides')])).content,
    );
    expect(said).toContain('tides');
    const chunks = await same(async (url) =>
      (await all(await model(url, 'sim-1').stream('Explain tides'))).map(({ content }) => content),
    );
    expect(chunks.join('')).toContain('tides');
    const called = await same(
      async (url) => (await model(url, 'sim-tool-call').bindTools(TOOLS).invoke('Explain tides')).tool_calls,
    );
    expect(called).toMatchObject([{ name: 'look_up', args: { query: 'tides' } }]);
    const made = await same((baseURL) =>
      new OpenAIEmbeddings({ model: 'sim-1', apiKey: 'sk-test', configuration: { baseURL } }).embedDocuments([
        'a',
        'b',
      ]),
    );
    expect(made[1]).toHaveLength(8);
  });
});

it('each of them is named in the log as the source of its calls', async () => {
  const sources = new Set((await gateway.told('logs:generation')).map(({ source }) => source));
  expect([...sources].filter((source) => /openai|ai-sdk|langchain|ai$/i.test(source)).length).toBeGreaterThan(
    1,
  );
  expect(sources).toContain('OpenAI/JS');
});
