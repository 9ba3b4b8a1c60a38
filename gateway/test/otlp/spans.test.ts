// Spans of six dialects become the same entries, by today's names, with the tokens of model calls alone.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { any, logsOf, nanos, pairs, span, spansOf, T0, TRACE, take } from './requests.ts';

const PARENT = '00f067aa0ba902b7';

const one = async (attributes: Record<string, unknown>, more: Parameters<typeof span>[0] = {}) => {
  const { entries } = await take('traces', spansOf(span({ parent: PARENT, attributes, ...more })));
  const entry = entries.find(({ event }) => event !== 'run.started');
  if (!entry) throw new Error('there is no entry');
  return entry;
};

describe('a model call', () => {
  it.each<[string, Record<string, unknown>, string?]>([
    [
      'of today',
      {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.input_tokens': 812,
        'gen_ai.usage.output_tokens': 212,
        'gen_ai.response.finish_reasons': ['stop'],
        'gen_ai.input.messages': 'CONTENT',
      },
    ],
    [
      'of older conventions',
      {
        'gen_ai.operation.name': 'chat',
        'gen_ai.system': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.prompt_tokens': 812,
        'gen_ai.usage.completion_tokens': 212,
        'gen_ai.response.finish_reason': 'stop',
        'gen_ai.prompt.0.content': 'CONTENT',
      },
    ],
    [
      'of OpenInference',
      {
        'openinference.span.kind': 'LLM',
        'llm.system': 'openai',
        'llm.model_name': 'gpt-4o',
        'llm.token_count.prompt': 812,
        'llm.token_count.completion': 212,
        'llm.finish_reason': 'stop',
        'input.value': 'CONTENT',
        'llm.input_messages.0.message.content': 'CONTENT',
      },
    ],
    [
      'of the AI SDK before version 7',
      {
        'ai.operationId': 'ai.streamText.doStream',
        'ai.model.provider': 'openai.chat',
        'ai.model.id': 'gpt-4o',
        'ai.usage.inputTokens': 812,
        'ai.usage.outputTokens': 212,
        'ai.response.finishReason': 'stop',
        'ai.response.text': 'CONTENT',
        'ai.prompt.messages': 'CONTENT',
      },
    ],
    [
      'of Traceloop',
      {
        'llm.request.type': 'chat',
        'gen_ai.system': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.prompt_tokens': 812,
        'gen_ai.usage.completion_tokens': '212',
        'llm.response.finish_reason': 'stop',
        'traceloop.entity.input': 'CONTENT',
        'gen_ai.completion.0.content': 'CONTENT',
      },
    ],
    [
      'of Langfuse',
      {
        'langfuse.observation.type': 'generation',
        'gen_ai.system': 'openai',
        'langfuse.observation.model.name': 'gpt-4o',
        'langfuse.observation.usage_details': '{"input":812,"output":212,"total":1024}',
        'gen_ai.response.finish_reasons': ['stop'],
        'langfuse.observation.input': 'CONTENT',
        'langfuse.trace.output': 'CONTENT',
      },
    ],
    [
      'of vLLM',
      {
        'gen_ai.system': 'openai',
        'gen_ai.response.model': 'gpt-4o',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.prompt_tokens': 812,
        'gen_ai.usage.completion_tokens': 212,
        'gen_ai.response.finish_reasons': 'stop',
        'gen_ai.latency.time_to_first_token': 0.12,
      },
      'llm_request',
    ],
  ])('%s is generation.finished', async (_, attributes, name = 'chat gpt-4o') => {
    const entry = await one(attributes, { name });
    expect(entry).toMatchObject({
      channel: 'traces:app',
      event: 'generation.finished',
      level: 'info',
      run: TRACE,
      time: T0 + 2_300,
      msg: 'chat gpt-4o: 812 → 212 tokens in 2.30 s',
      attrs: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.input_tokens': 812,
        'gen_ai.usage.output_tokens': 212,
        'gen_ai.response.finish_reasons': ['stop'],
        duration_s: 2.3,
        start: new Date(T0).toISOString(),
        span_id: 'b7ad6b7169203331',
        parent_span_id: PARENT,
        kind: 'client',
      },
    });
    expect(JSON.stringify(entry)).not.toContain('CONTENT');
    const old = Object.keys(entry.attrs ?? {}).filter((key) => /^(?:ai|llm|langfuse|traceloop)\./.test(key));
    expect(old.filter((key) => !key.endsWith('.type') && key !== 'ai.operationId')).toEqual([]);
  });

  it('says the time to its first chunk in seconds, whatever its library counts in', async () => {
    const call = { 'ai.operationId': 'ai.streamText.doStream', 'ai.response.msToFirstChunk': 250 };
    expect((await one(call)).attrs).toMatchObject({ 'gen_ai.response.time_to_first_chunk': 0.25 });
  });

  it('that failed is generation.failed, with the type and the text of the error', async () => {
    const entry = await one(
      { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm', 'error.type': '429' },
      { more: { status: { code: 2, message: 'slow down' } } },
    );
    expect(entry).toMatchObject({
      event: 'generation.failed',
      level: 'error',
      msg: 'chat m failed in 2.30 s: slow down',
      attrs: { 'error.type': '429', status: 'error' },
    });
  });
});

describe('other spans', () => {
  it.each<[string, Record<string, unknown>, string, string]>([
    ['a tool', { 'gen_ai.operation.name': 'execute_tool' }, 'tool.returned', 'info'],
    ['a tool of OpenInference', { 'openinference.span.kind': 'TOOL' }, 'tool.returned', 'info'],
    ['a tool of the AI SDK', { 'ai.operationId': 'ai.toolCall' }, 'tool.returned', 'info'],
    ['the loop of the AI SDK', { 'ai.operationId': 'ai.streamText' }, 'agent.finished', 'info'],
    ['a workflow of Traceloop', { 'traceloop.span.kind': 'workflow' }, 'workflow.finished', 'info'],
    ['a chain', { 'openinference.span.kind': 'CHAIN' }, 'workflow.finished', 'info'],
    ['a retriever', { 'openinference.span.kind': 'RETRIEVER' }, 'span.finished', 'info'],
    ['a request', { 'http.request.method': 'GET' }, 'span.finished', 'debug'],
    ['a key of every object', { 'openinference.span.kind': '__proto__' }, 'span.finished', 'debug'],
  ])('%s', async (_, attributes, event, level) => {
    expect(await one(attributes)).toMatchObject({ event, level });
  });

  it('repeat the tokens of the calls inside, so theirs are no usage', async () => {
    const { attrs } = await one({ 'ai.operationId': 'ai.streamText', 'ai.usage.inputTokens': 42 });
    expect(attrs).toMatchObject({ input_tokens: 42 });
    expect(attrs).not.toHaveProperty(['gen_ai.usage.input_tokens']);
  });

  it('without a parent end a run in words; the flood of requests stays at debug', async () => {
    const root = await one({}, { parent: undefined as never });
    expect(root).toMatchObject({ event: 'run.finished', level: 'debug' });
  });
});

describe('a trace', () => {
  const call = span({ parent: PARENT, attributes: { 'gen_ai.operation.name': 'chat' } });
  const root = span({ id: PARENT, name: 'POST /ask' });

  it('is running from its first child on, and ends with its root', async () => {
    const { entries } = await take('traces', spansOf(call, root));
    expect(entries.map(({ event, level }) => [event, level])).toEqual([
      ['run.started', 'info'],
      ['generation.finished', 'info'],
      ['run.finished', 'info'],
    ]);
    expect(entries[0]?.time).toBe(T0);
  });

  it('of requests alone is not announced', async () => {
    const { entries } = await take('traces', spansOf(span({ parent: PARENT })));
    expect(entries.map(({ event }) => event)).toEqual(['span.finished']);
  });
});

it('a pending span is the start of the span that it stands for, and counts no tokens', async () => {
  const attributes = {
    'logfire.span_type': 'pending_span',
    'logfire.pending_parent_id': '1111111111111111',
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'm',
  };
  const { entries } = await take(
    'traces',
    spansOf(
      span({ name: 'chat m (pending)', id: '2222222222222222', parent: 'b7ad6b7169203331', attributes }),
      span({
        name: 'chat m',
        parent: '1111111111111111',
        attributes: { ...attributes, 'logfire.span_type': 'span' },
      }),
    ),
  );
  expect(entries.map(({ event }) => event)).toEqual([
    'run.started',
    'generation.started',
    'generation.finished',
  ]);
  const [, started, finished] = entries;
  for (const key of ['lane', 'span_id', 'parent_span_id'])
    expect(started?.attrs?.[key], key).toBe(finished?.attrs?.[key]);
  expect(started?.run).toBe(finished?.run);
});

it('events of a span are entries of their own, at their own time', async () => {
  const events = [
    {
      timeUnixNano: nanos(T0 + 10),
      name: 'gen_ai.user.message',
      attributes: pairs({ 'gen_ai.prompt': 'CONTENT' }),
    },
    {
      timeUnixNano: nanos(T0 + 20),
      name: 'exception',
      attributes: pairs({
        'exception.type': 'ValueError',
        'exception.message': 'no',
        'exception.stacktrace': 'at x',
      }),
    },
  ];
  const { entries } = await take('traces', spansOf(span({ parent: PARENT, more: { events } })));
  expect(entries).toMatchObject([
    { event: 'gen_ai.user.message', level: 'debug', time: T0 + 10, attrs: { content_bytes: 7 } },
    {
      event: 'exception',
      level: 'error',
      time: T0 + 20,
      msg: 'ValueError: no',
      attrs: { 'exception.stacktrace': 'at x' },
    },
    { event: 'span.finished' },
  ]);
});

describe('texts of people and models', () => {
  it.each([
    ['gen_ai.user.message', { 'gen_ai.event.content': '{"content":"SECRET"}', 'gen_ai.system': 'openai' }],
    ['gen_ai.user.message', { content: 'SECRET', role: 'user', 'gen_ai.system': 'openai' }],
    ['gen_ai.choice', { 'message.content': 'SECRET', tool_calls: ['SECRET'], finish_reason: 'stop' }],
    ['gen_ai.content.prompt', { 'gen_ai.prompt': 'SECRET' }],
  ])('in the event %s are not shown, whatever holds them', async (name, attributes) => {
    const events = [{ timeUnixNano: nanos(T0), name, attributes: pairs(attributes) }];
    const request = spansOf(span({ parent: PARENT, more: { events } }));
    const [event] = (await take('traces', request)).entries;
    expect(event).toMatchObject({ event: name, attrs: { content_bytes: expect.any(Number) } });
    expect(JSON.stringify(event)).not.toContain('SECRET');
    for (const [key, value] of Object.entries(attributes))
      if (!JSON.stringify(value).includes('SECRET')) expect(event?.attrs).toMatchObject({ [key]: value });
    expect(JSON.stringify((await take('traces', request, { content: true })).entries)).toContain('SECRET');
  });

  it('of Pydantic AI are events in an attribute: not shown on the span of a call, and any word elsewhere', async () => {
    const events = '[{"event.name":"gen_ai.user.message","content":"SECRET"}]';
    const call = await one({ 'gen_ai.operation.name': 'chat', events });
    expect(JSON.stringify(call)).not.toContain('SECRET');
    expect((await one({ events: 'door opened' })).attrs).toMatchObject({ events: 'door opened' });
  });

  it('are not shown under names of the dialects that nobody knows; identifiers and numbers are', async () => {
    const text = fc.oneof(
      fc.string().map((more) => `SECRET wish ${more}`),
      fc.constantFrom('SECRETの願い', `SECRET${'x'.repeat(300)}`),
    );
    const name = fc
      .tuple(
        fc.constantFrom('gen_ai', 'llm', 'traceloop', 'ai', 'langfuse'),
        fc.stringMatching(/^[a-z]{3,8}(?:\.[a-z_]{3,8}){0,2}$/),
      )
      .map((parts) => `${parts.join('.')}x`);
    const value = fc.oneof(
      text,
      fc.array(text, { minLength: 1, maxLength: 2 }),
      fc.record({ content: text }),
    );
    await fc.assert(
      fc.asyncProperty(name, value, async (key, said) => {
        const attributes = { 'gen_ai.operation.name': 'chat', [key]: said };
        const events = [{ name: 'some.event', attributes: pairs({ [key]: said }) }];
        const { entries } = await take(
          'traces',
          spansOf(span({ parent: PARENT, attributes, more: { events } })),
        );
        expect(JSON.stringify(entries)).not.toContain('SECRET');
        const logged = await take('logs', logsOf({ body: any('x'), attributes: pairs({ [key]: said }) }));
        expect(JSON.stringify(logged.entries)).not.toContain('SECRET');
      }),
      { numRuns: 60 },
    );
    const plain = {
      'gen_ai.new.id': 'resp_0123456789',
      'ai.new.count': 7,
      'traceloop.entity.path': 'a b',
      'gen_ai.agent.name': 'Weather agent',
    };
    expect((await one({ 'gen_ai.operation.name': 'chat', ...plain })).attrs).toMatchObject(plain);
  });
});

it('of very many events of a span the first are entries, and the others are counted on the span', async () => {
  const events = Array.from({ length: 130 }, (_, i) => ({ timeUnixNano: nanos(T0 + i), name: `event-${i}` }));
  const { entries } = await take('traces', spansOf(span({ parent: PARENT, more: { events } })));
  expect(entries).toHaveLength(129);
  expect(entries.at(-2)).toMatchObject({ event: 'event-127' });
  expect(entries.at(-1)).toMatchObject({ event: 'span.finished', attrs: { cut_events: 2 } });
});

it('ids in base64, and those that say that there is none, cost no span', async () => {
  const base64 = Buffer.from(TRACE, 'hex').toString('base64');
  for (const [traceId, run] of [
    [base64, TRACE],
    [TRACE.toUpperCase(), TRACE],
    ['0'.repeat(32), undefined],
    ['', undefined],
  ]) {
    const { entries } = await take('traces', spansOf(span({ parent: PARENT, more: { traceId } })));
    expect(
      entries.map((entry) => entry.run),
      `${traceId}`,
    ).toEqual([run]);
  }
});

it.each([
  [{ traceId: 'zz' }, 'traceId must have 16 bytes, in JSON 32 hexadecimal digits'],
  [{ traceId: 17 }, 'traceId must'],
  [{ traceId: TRACE.slice(0, 22) }, 'traceId must'],
  [{ spanId: TRACE }, 'spanId must have 8 bytes, in JSON 16 hexadecimal digits'],
  [{ parentSpanId: { odd: 1 } }, 'parentSpanId must'],
])('a span with a wrong id is rejected, and its sender told why: %j', async (more, message) => {
  const { entries, outcome } = await take('traces', spansOf(span({ more }), span({})));
  expect(entries).toHaveLength(1);
  expect(outcome).toMatchObject({ accepted: 1, rejected: 1, message: expect.stringContaining(message) });
});
