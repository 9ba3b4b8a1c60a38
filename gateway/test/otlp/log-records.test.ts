// Log records of many kinds of programs become entries with the right level, message, event and run.

import { describe, expect, it } from 'vitest';
import { any, logsOf, nanos, pairs, T0, TRACE, take } from './requests.ts';

const one = async (record: Record<string, unknown>, content = false) => {
  const { entries } = await take('logs', logsOf({ timeUnixNano: nanos(T0), ...record }), { content });
  return entries[0];
};

describe('levels', () => {
  it.each([
    [1, 'trace'],
    [8, 'debug'],
    [9, 'info'],
    [16, 'warn'],
    [17, 'error'],
    [24, 'fatal'],
  ])('severity %i is %s', async (severityNumber, level) => {
    expect(await one({ severityNumber, body: any('x') })).toMatchObject({ level });
  });

  it('without a number come from the text of the severity, or from the line', async () => {
    expect(await one({ severityText: 'Warning', body: any('x') })).toMatchObject({ level: 'warn' });
    expect(await one({ body: any('ERROR: no disk') })).toMatchObject({ level: 'error' });
  });
});

describe('messages', () => {
  it('are the body, or what of a body with fields is the message', async () => {
    expect(await one({ body: any('plain') })).toMatchObject({ msg: 'plain' });
    expect(await one({ body: any({ message: 'from a list', n: 1 }) })).toMatchObject({
      msg: 'from a list',
      attrs: { n: 1 },
    });
    expect(await one({ body: any([1, 2]) })).toMatchObject({ msg: '[1,2]' });
    expect(await one({ eventName: 'device.app.lifecycle' })).toMatchObject({
      msg: 'device.app.lifecycle',
      event: 'device.app.lifecycle',
    });
  });

  it('of an exception that was logged say its type, and keep the stack', async () => {
    const attributes = pairs({
      'exception.type': 'KeyError',
      'exception.message': 'k',
      'exception.stacktrace': 'at y',
    });
    expect(await one({ attributes })).toMatchObject({
      level: 'error',
      msg: 'KeyError: k',
      attrs: { 'exception.stacktrace': 'at y' },
    });
  });
});

describe('runs', () => {
  it('are the trace, or else what the program calls its prompt or session', async () => {
    expect(
      await one({ traceId: TRACE, body: any('x'), attributes: pairs({ 'session.id': 's' }) }),
    ).toMatchObject({ run: TRACE });
    expect(
      await one({ body: any('x'), attributes: pairs({ 'session.id': 's', 'prompt.id': 'p' }) }),
    ).toMatchObject({ run: 'p' });
  });
});

it('a log record with a wrong id is taken without its trace, and its sender told so', async () => {
  const { entries, outcome } = await take('logs', logsOf({ traceId: 'zz', body: any('x') }));
  expect(entries).toMatchObject([{ msg: 'x' }]);
  expect(entries[0]).not.toHaveProperty('run');
  expect(outcome).toMatchObject({
    accepted: 1,
    rejected: 0,
    message: 'traceId must have 16 bytes, in JSON 32 hexadecimal digits',
  });
});

describe('agents on a terminal', () => {
  it('Claude Code: the body is the event, and what was typed is not shown', async () => {
    const record = {
      body: any('claude_code.user_prompt'),
      attributes: pairs({
        'event.name': 'user_prompt',
        prompt: 'CONTENT',
        prompt_length: 7,
        'prompt.id': 'p-1',
      }),
    };
    const entry = await one(record);
    expect(entry).toMatchObject({
      event: 'claude_code.user_prompt',
      run: 'p-1',
      attrs: { prompt_length: 7, content_bytes: 7 },
    });
    expect(JSON.stringify(entry)).not.toContain('CONTENT');
    expect(JSON.stringify(await one(record, true))).toContain('CONTENT');
  });

  it('Claude Code: a request to a model has our names for its tokens', async () => {
    const attributes = pairs({
      model: 'claude-4',
      input_tokens: 10,
      output_tokens: 20,
      duration_ms: 5,
      cost_usd: 0.1,
    });
    expect((await one({ body: any('claude_code.api_request'), attributes }))?.attrs).toMatchObject({
      'gen_ai.request.model': 'claude-4',
      'gen_ai.usage.input_tokens': 10,
      'gen_ai.usage.output_tokens': 20,
    });
  });

  it('Codex and Gemini CLI: arguments and outputs of tools are not shown', async () => {
    for (const attributes of [
      { 'event.name': 'codex.tool_result', arguments: 'CONTENT', output: 'CONTENT', tool_name: 'shell' },
      { 'event.name': 'gemini_cli.tool_call', function_args: 'CONTENT', function_name: 'shell' },
      { 'event.name': 'gemini_cli.api_response', response_text: 'CONTENT', model: 'g' },
    ])
      expect(
        JSON.stringify(await one({ body: any('Tool result.'), attributes: pairs(attributes) })),
      ).not.toContain('CONTENT');
  });

  it('other programs may call an attribute `output` or `model` what they like', async () => {
    const attributes = pairs({ output: 'pdf', model: 'T', 'event.name': 'car.sold' });
    expect((await one({ body: any('sold'), attributes }))?.attrs).toMatchObject({
      output: 'pdf',
      model: 'T',
    });
  });
});

it("a model's choice is an event whose text is not shown, but why it ended is", async () => {
  const record = {
    traceId: TRACE,
    attributes: pairs({ 'event.name': 'gen_ai.choice', 'gen_ai.system': 'openai' }),
    body: any({ finish_reason: 'stop', index: 0, message: { content: 'CONTENT' } }),
  };
  const entry = await one(record);
  expect(entry).toMatchObject({
    event: 'gen_ai.choice',
    run: TRACE,
    attrs: { finish_reason: 'stop', index: 0 },
  });
  expect(JSON.stringify(entry)).not.toContain('CONTENT');
});

it('a clock that is days off, or none, leaves the time as it is, or makes it that of the arrival', async () => {
  const before = Date.now();
  const times = async (timeUnixNano: unknown) => (await one({ timeUnixNano, body: any('x') }))?.time ?? 0;
  expect(await times(nanos(T0 - 9 * 86_400_000))).toBe(T0 - 9 * 86_400_000);
  for (const odd of [0, '0', 'soon', -5, null, '99999999999999999999999999', {}, Number.MAX_VALUE])
    expect(await times(odd), `${odd}`).toBeGreaterThanOrEqual(before);
});
