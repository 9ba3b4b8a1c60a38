import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ProviderModel } from '../../../src/llm/provider.ts';
import { Simulator } from '../../../src/llm/simulator/simulator.ts';
import { tokenize } from '../../../src/llm/simulator/simulator-answer.ts';
import { compose } from '../../../src/llm/simulator/simulator-prose.ts';
import { needsKey, providerOf } from '../../../src/llm/target.ts';
import { combinerQuestion } from '../../../src/runs/combiner-question.ts';
import { ask, collect, PATIENCE_MS, timeoutsFor } from '../collect.ts';

const simulator = new Simulator({ chunkTokens: 3, tokenMs: 0 });
const post = (body: unknown, init: RequestInit = {}) =>
  simulator.fetch('http://simulated.invalid/v1/chat/completions', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
const chat = { model: 'sim-1', stream: true, messages: [{ role: 'user', content: 'What is a rainbow?' }] };

describe('the simulator', () => {
  it('gives the same answer to the same message, and another answer to another message', async () => {
    const texts = await Promise.all(
      ['Explain tides', 'Explain tides', 'Explain rust'].map(async (question) => {
        const model = new ProviderModel(timeoutsFor(), simulator.fetch);
        return (await collect(model, ask({}, question))).text;
      }),
    );
    expect(texts[0]).toBe(texts[1]);
    expect(texts[2]).not.toBe(texts[0]);
  });

  it('speaks the protocol: role first, a finish reason, usage, [DONE]', async () => {
    const frames = (await (await post(chat)).text()).trimEnd().split('\n\n');
    const chunks = frames.slice(0, -1).map((frame) => JSON.parse(frame.replace(/^data: /, '')));
    expect(frames.at(-1)).toBe('data: [DONE]');
    expect(chunks[0].choices[0].delta.role).toBe('assistant');
    expect(chunks.at(-2).choices[0].finish_reason).toBe('stop');
    expect(chunks.at(-1).usage.total_tokens).toBeGreaterThan(0);
  });

  it('paces by its options', async () => {
    const paced = new Simulator({ chunkTokens: 10, tokenMs: 1 });
    const provider = new ProviderModel(timeoutsFor(), paced.fetch);
    const { finish, text } = await collect(provider, ask({}));
    const chunks = Math.ceil(tokenize(text).length / 10);
    expect(finish?.durationMs).toBeGreaterThan(chunks); // 10 ms a chunk, at least half of it
    expect(paced.calls[0]?.chunks).toBeLessThan(chunks + 12);
  });

  it.each([
    ['no JSON', '{'],
    ['no messages', { ...chat, messages: [] }],
    ['a message without a role', { ...chat, messages: [{ content: 'hi' }] }],
  ])('answers 400 to %s', async (_, body) => {
    expect((await post(body)).status).toBe(400);
  });

  it('lists its models and knows no other route', async () => {
    expect((await simulator.fetch('http://simulated.invalid/v1/models')).status).toBe(200);
    expect((await simulator.fetch('http://simulated.invalid/v1/other')).status).toBe(404);
  });
});

describe('its choice of tools', () => {
  const calls = async (content: string, properties: Record<string, object>, more: object[] = []) => {
    const parameters = { type: 'object', properties };
    const tools = [
      { type: 'function', function: { name: 'homes', description: 'Finds homes.', parameters } },
    ];
    const messages = [{ role: 'user', content }, ...more];
    const response = await post({ model: 'sim-1', messages, tools });
    expect(response.status).toBe(200);
    const { choices } = (await response.json()) as {
      choices: { message: { tool_calls?: { function: { arguments: string } }[] } }[];
    };
    return choices[0]?.message.tool_calls?.map((call) => JSON.parse(call.function.arguments));
  };
  const number = { type: 'number' };
  const string = { type: 'string' };

  it('takes numbers, an address and a choice from the question', async () => {
    const properties = {
      maxPrice: number,
      minBedrooms: number,
      recipientEmail: string,
      kind: { type: 'string', enum: ['flat', 'town-house'] },
    };
    const question = 'Find homes under $1.5 million, 3+ bedrooms, a Town House, for a.b@mail.example.com.';
    expect(await calls(question, properties)).toEqual([
      { maxPrice: 1_500_000, minBedrooms: 3, recipientEmail: 'a.b@mail.example.com', kind: 'town-house' },
    ]);
  });

  it.each([
    ['digits', '1'],
    ['letters', 'a'],
    ['digits and letters', '1a'],
    ['spaces', ' '],
    ['signs', '@.'],
    ['words', 'in '],
  ])('is not held up by a question that is long and made of %s', async (_, piece) => {
    const properties = { maxPrice: number, recipientEmail: string, city: string, ids: { type: 'array' } };
    expect(await calls(`Find homes ${piece.repeat(200_000)}`, properties)).toEqual([{}]);
  });

  it('is not held up by a result that is long', async () => {
    const call = { id: 'c1', function: { name: 'homes' } };
    const result = { role: 'tool', tool_call_id: 'c1', content: 'a'.repeat(200_000) };
    const more = [{ role: 'assistant', content: null, tool_calls: [call] }, result];
    expect(await calls('Find homes', { recipientEmail: string }, more)).toBeUndefined();
  });

  it('takes names of properties for words, whatever they hold', async () => {
    const name = fc.oneof(fc.string(), fc.constantFrom('a(b', '[', 'max_\\', '(?<', '*', '\\u{'));
    await fc.assert(
      fc.asyncProperty(name, async (property) => {
        const properties = { [property]: number };
        expect(await calls('Find homes with 3 beds, under 7', properties)).toHaveLength(1);
      }),
    );
    const question = `Find homes with 3${'a'.repeat(60)}`;
    expect(await calls(question, { 'aaa(?:a|a)*b': number })).toEqual([{}]);
  });
});

describe('its prose', () => {
  const say = (system: string, ...questions: string[]) =>
    compose(
      [
        { role: 'system', content: system },
        ...questions.map((content) => ({ role: 'user' as const, content })),
      ],
      7,
    ).text;

  it('heeds the voice that the system prompt asks for', () => {
    expect(say('Be creative.', 'Explain gravity like I am 5')).toMatch(/^Picture gravity as/);
    expect(say('Be careful.', 'Explain gravity like I am 5')).toMatch(/^In short, gravity can/);
  });

  it('recalls the turn before', () => {
    expect(say('Be careful.', 'What is rust?', 'And iron?')).toContain('Coming from rust');
  });

  it('merges the answers it is given and says whose is missing', () => {
    const question = combinerQuestion('Why?', [
      { name: 'llm-1', text: 'Because of rain.', cut: false },
      { name: 'llm-2', text: 'First. Because of sun.', cut: true },
      { name: 'llm-3', missing: 'too late' },
    ]);
    const merged = say('Combine.', question);
    expect(merged).toContain('Because of rain.');
    expect(merged).toContain('Because of sun.');
    expect(merged).toContain('llm-3 gave no answer');
  });

  it.each(['', '?', '   ', '💥', 'x'.repeat(10_000)])('has words for %j', (question) => {
    expect(say('', question).length).toBeGreaterThan(50);
  });
});

it('combines an answer that is long and no sentence', () => {
  const question = combinerQuestion('What?', [{ name: 'one', text: 'a'.repeat(400_000), cut: false }]);
  expect(compose([{ role: 'user', content: question }], 1).text).toContain('one puts it like this');
});

describe('a base URL', () => {
  it.each([
    ['https://api.openai.com/v1', 'openai', true],
    ['https://openrouter.ai/api/v1', 'openrouter', true],
    ['http://localhost:11434/v1', 'ollama', false],
    ['http://127.0.0.1:8001/v1', '127.0.0.1', false],
    ['http://[::1]:8001/v1', '[::1]', false],
    ['http://192.168.1.20:8001/v1', '192.168.1.20', false],
    ['http://vllm:8001/v1', 'vllm', false],
    ['https://8.8.8.8/v1', '8.8.8.8', true],
    ['https://evil-openai.com/v1', 'evil-openai.com', true],
  ])('%s is %s', (url, provider, key) => {
    expect(providerOf(url)).toBe(provider);
    expect(needsKey(url)).toBe(key);
  });
});

it('hears of an abort however much memory was collected before it', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const simulator = new Simulator({ chunkTokens: 1, tokenMs: 1 });
  const caller = new AbortController();
  const body = { model: 'sim-hang-headers', stream: true, messages: [{ role: 'user', content: 'hi' }] };
  const answer = simulator.fetch('http://x.invalid/v1/chat/completions', {
    method: 'POST',
    signal: caller.signal,
    body: JSON.stringify(body),
  });
  answer.catch(() => undefined);
  await vi.waitFor(() => expect(simulator.calls).toHaveLength(1), PATIENCE_MS);
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await setTimeout(1); // what is held for one turn of the loop may go in the next
  }
  caller.abort();
  await expect(answer).rejects.toThrow();
  expect(simulator.calls[0]?.state).toBe('aborted');
});
