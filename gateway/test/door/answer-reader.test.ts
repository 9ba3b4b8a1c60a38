// What is read of an answer is the same however it is packed and cut; what cannot be read is given up within bounds.

import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../src/door/answer-reader.ts';
import { DIALECTS, type Dialect } from '../../src/door/dialects.ts';
import { Reading } from '../../src/door/reading.ts';

interface Read {
  text: string;
  reasoning: string;
  reading: Reading;
  isGivenUp: boolean;
}

async function read(
  dialect: Dialect,
  pieces: readonly (Buffer | string)[],
  { isStream = true, packing = '' } = {},
): Promise<Read> {
  const said = { text: '', reasoning: '' };
  const reading = new Reading(
    (kind, text) => {
      said[kind] += text;
    },
    () => {},
  );
  const reader = new AnswerReader(dialect, reading, { isStream, packing });
  for (const piece of pieces) reader.push(Buffer.from(piece));
  await reader.end();
  return { ...said, reading, isGivenUp: reader.isGivenUp };
}

const sse = (...values: (object | string)[]) =>
  values.map((value) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`).join('');

const CHAT = sse(
  { id: 'c1', model: 'gpt-x', choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] },
  { choices: [{ index: 0, delta: { reasoning_content: 'Hm. ' } }] },
  { choices: [{ index: 0, delta: { content: 'Tides → ' } }] },
  { choices: [{ index: 1, delta: { content: 'another choice' } }] },
  { choices: [{ index: 0, delta: { content: 'moon' } }] },
  {
    choices: [
      {
        index: 0,
        delta: { tool_calls: [{ index: 0, id: 't1', function: { name: 'look', arguments: '{"a"' } }] },
      },
    ],
  },
  { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] } }] },
  { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
  {
    choices: [],
    usage: {
      prompt_tokens: 7,
      completion_tokens: 9,
      completion_tokens_details: { reasoning_tokens: 2 },
      prompt_tokens_details: { cached_tokens: 4 },
    },
  },
  '[DONE]',
);
const seen = ({ text, reasoning, reading, isGivenUp }: Read) => {
  const { usage, finishReasons, responseId, responseModel, isEnded, failure, tools } = reading;
  return {
    text,
    reasoning,
    usage,
    finishReasons,
    responseId,
    responseModel,
    isEnded,
    failure,
    tools,
    isGivenUp,
  };
};
const OF_CHAT = {
  text: 'Tides → moon',
  reasoning: 'Hm. ',
  usage: { input: 7, output: 9, reasoning: 2, cached: 4 },
  finishReasons: ['tool_calls'],
  responseId: 'c1',
  responseModel: 'gpt-x',
  isEnded: true,
  failure: undefined,
  tools: [{ id: 't1', name: 'look', arguments: '{"a":1}' }],
  isGivenUp: false,
};

describe('a stream of a chat', () => {
  it('is read the same, cut in two at every byte', async () => {
    const bytes = Buffer.from(CHAT);
    for (let at = 0; at <= bytes.length; at++)
      expect(seen(await read(DIALECTS.chat, [bytes.subarray(0, at), bytes.subarray(at)]))).toEqual(OF_CHAT);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('is read packed as %s', async (packing, pack) => {
    const bytes = pack(Buffer.from(CHAT));
    const pieces = [bytes.subarray(0, 20), bytes.subarray(20)];
    expect(seen(await read(DIALECTS.chat, pieces, { packing }))).toEqual(OF_CHAT);
  });

  it('that holds an error has failed', async () => {
    const { reading } = await read(DIALECTS.chat, [sse({ error: { message: 'secret' } })]);
    expect(reading.failure).toBe('llm_stream_error');
  });

  it.each([
    [{ code: 'insufficient_quota', type: 'other', message: 'No money' }, 'insufficient_quota'],
    [{ code: null, type: 'server_error', message: 'No money' }, 'server_error'],
    [{ code: 'Not a code!', type: 'x'.repeat(65), message: 'No money' }, undefined],
    [{ code: 'sk-0123456789abcdef0123', message: 'No money' }, undefined],
  ])('has the code of the service where it is a name: %j', async (error, code) => {
    const { reading } = await read(DIALECTS.chat, [sse({ error })]);
    expect([reading.serviceCode, reading.serviceMessage]).toEqual([code, 'No money']);
  });

  it.each([{ toString: 1, valueOf: 1 }, 'x'.repeat(100_000)])(
    'that names its tools by %j is read',
    async (odd) => {
      const calls = [{ index: odd, id: 't', function: { name: 'f', arguments: '{}' } }];
      const chat = await read(DIALECTS.chat, [
        sse({ choices: [{ delta: { tool_calls: calls } }] }, { choices: [{ delta: { content: 'Hi' } }] }),
      ]);
      expect([chat.isGivenUp, chat.text, chat.reading.tools]).toEqual([
        false,
        'Hi',
        [{ id: 't', name: 'f', arguments: '{}' }],
      ]);
      const body = JSON.stringify({ choices: [{ message: { content: 'Hi', tool_calls: calls } }] });
      for (const packing of ['', 'gzip']) {
        const bytes = packing === '' ? body : gzipSync(body);
        const whole = await read(DIALECTS.chat, [bytes], { isStream: false, packing });
        expect([whole.isGivenUp, whole.text, whole.reading.tools]).toEqual([false, 'Hi', chat.reading.tools]);
      }
      const item = { type: 'function_call', id: odd, name: 'f' };
      const responses = await read(DIALECTS.responses, [
        sse(
          { type: 'response.output_item.added', item, output_index: odd },
          { type: 'response.function_call_arguments.delta', item_id: odd, delta: '{}' },
        ),
      ]);
      expect([responses.isGivenUp, responses.reading.tools]).toMatchObject([
        false,
        [{ name: 'f', arguments: '{}' }],
      ]);
    },
  );

  it('that breaks off has not ended', async () => {
    const { reading } = await read(DIALECTS.chat, [CHAT.slice(0, 200)]);
    expect(reading.isEnded).toBe(false);
  });
});

describe('the other answers', () => {
  it('a whole chat', async () => {
    const message = {
      content: 'Hi',
      reasoning: 'Hm',
      tool_calls: [{ id: 't', function: { name: 'f', arguments: '{}' } }],
    };
    const whole = {
      id: 'c',
      model: 'm',
      choices: [{ message, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    };
    const found = seen(await read(DIALECTS.chat, [JSON.stringify(whole)], { isStream: false }));
    expect(found).toMatchObject({ text: 'Hi', reasoning: 'Hm', isEnded: true, finishReasons: ['stop'] });
    expect(found).toMatchObject({
      usage: { input: 1, output: 2 },
      tools: [{ id: 't', name: 'f', arguments: '{}' }],
    });
  });

  it('a completion, streamed and whole', async () => {
    const streamed = sse(
      { choices: [{ text: 'a' }] },
      { choices: [{ text: 'b', finish_reason: 'length' }] },
      '[DONE]',
    );
    expect(seen(await read(DIALECTS.completion, [streamed]))).toMatchObject({
      text: 'ab',
      finishReasons: ['length'],
    });
    const whole = JSON.stringify({ choices: [{ text: 'ab', finish_reason: 'stop' }] });
    expect(seen(await read(DIALECTS.completion, [whole], { isStream: false }))).toMatchObject({
      text: 'ab',
    });
  });

  const CALL = { type: 'function_call', id: 'i2', call_id: 't2', name: 'look', arguments: '{"a":1}' };
  const RESPONSE = {
    id: 'r1',
    model: 'm',
    status: 'completed',
    output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }, CALL],
    usage: { input_tokens: 3, output_tokens: 4, input_tokens_details: { cached_tokens: 1 } },
  };

  it('a response, streamed and whole, is the same', async () => {
    const streamed = sse(
      { type: 'response.created', response: { id: 'r1', model: 'm' } },
      { type: 'response.output_text.delta', delta: 'H' },
      { type: 'response.output_text.delta', delta: 'i' },
      { type: 'response.output_item.added', output_index: 1, item: { ...CALL, arguments: '' } },
      { type: 'response.function_call_arguments.delta', item_id: 'i2', delta: '{"a"' },
      { type: 'response.function_call_arguments.done', item_id: 'i2', arguments: '{"a":1}' },
      { type: 'response.completed', response: RESPONSE },
    );
    const whole = seen(await read(DIALECTS.responses, [JSON.stringify(RESPONSE)], { isStream: false }));
    expect(seen(await read(DIALECTS.responses, [streamed]))).toEqual(whole);
    expect(whole).toMatchObject({
      text: 'Hi',
      finishReasons: ['tool_calls'],
      tools: [{ id: 't2', name: 'look', arguments: '{"a":1}' }],
      usage: { input: 3, output: 4, cached: 1 },
    });
  });

  it.each([
    [{ type: 'response.failed', response: { status: 'failed' } }, { failure: 'llm_stream_error' }],
    [{ type: 'error', message: 'secret' }, { failure: 'llm_stream_error' }],
    [
      { type: 'response.incomplete', response: { incomplete_details: { reason: 'max_output_tokens' } } },
      { finishReasons: ['length'] },
    ],
  ])('a response that ends with %j', async (event, expected) => {
    expect(seen(await read(DIALECTS.responses, [sse(event)]))).toMatchObject(expected);
  });

  it('embeddings give their figures, however many numbers come before', async () => {
    const data = Array.from({ length: 40 }, () => ({
      embedding: Array.from({ length: 1_536 }, Math.random),
    }));
    const body = JSON.stringify({ data, model: 'e', usage: { prompt_tokens: 5, total_tokens: 5 } });
    const pieces = body.match(/.{1,65536}/g) ?? [];
    const found = await read(DIALECTS.embeddings, pieces, { isStream: false });
    expect(seen(found)).toMatchObject({
      isGivenUp: false,
      responseModel: 'e',
      usage: { input: 5, output: 0 },
    });
  });
});

describe('an answer that cannot be read', () => {
  it.each<[string, (Buffer | string)[], { isStream?: boolean; packing?: string }]>([
    ['a packing that nobody knows', ['x'], { packing: 'sdch' }],
    ['bytes that are not packed as they say', ['no gzip at all'], { packing: 'gzip' }],
    ['a line without end', ['data: ', 'a'.repeat(300_000), 'a'.repeat(300_000)], {}],
    ['a large object', ['{"a":"', 'a'.repeat(300_000), '"}'], { isStream: false }],
    ['an event of many values', [sse({ a: Array.from({ length: 60_000 }, () => 1) })], {}],
    ['an event that is nested deeply', [`data: ${'['.repeat(1_000)}\n\n`], {}],
    ['more than waits to be read', [Buffer.alloc(900_000, '\n'), Buffer.alloc(900_000, '\n')], {}],
    ['a bomb', [gzipSync(Buffer.alloc(200_000_000, '\n'))], { packing: 'gzip' }],
  ])('%s is given up', async (_, pieces, form) => {
    const { isGivenUp } = await read(DIALECTS.chat, pieces, form);
    expect(isGivenUp).toBe(true);
  });

  it.each([
    ['[1]'],
    ['null'],
    ['"text"'],
    ['{"choices":7}'],
    ['{"choices":[null,[],"x",{"delta":5},{"delta":{"tool_calls":"x","content":{"a":1}}}]}'],
    ['{"usage":{"prompt_tokens":-1}}'],
    ['{"usage":{"prompt_tokens":"many"}}'],
    ['{"id":{"__proto__":1},"model":["x"]}'],
    ['not JSON'],
  ])('%s is passed over', async (data) => {
    for (const dialect of Object.values(DIALECTS)) {
      const found = seen(await read(dialect, [`data: ${data}\n\n`]));
      expect([found.text, found.usage, found.tools, found.isGivenUp]).toEqual(['', undefined, [], false]);
    }
  });

  it('keeps a bounded part of what a model calls', async () => {
    const call = (index: number) => ({
      index,
      id: 'x'.repeat(9_000),
      function: { name: 'f', arguments: 'a'.repeat(9_000) },
    });
    const events = Array.from({ length: 500 }, (_, i) =>
      sse({ choices: [{ delta: { tool_calls: [call(i)] } }] }),
    );
    const { reading } = await read(DIALECTS.chat, events);
    const units = reading.tools.reduce((sum, { id, arguments: given }) => sum + id.length + given.length, 0);
    expect([reading.tools.length <= 64, units < 100_000]).toEqual([true, true]);
  });
});
