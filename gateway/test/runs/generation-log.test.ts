import { describe, expect, it } from 'vitest';
import { process } from './pipeline-harness.ts';

describe('the log of model calls', () => {
  it('has the start and the end of each call with the GenAI attributes', async () => {
    const { observed } = await process({ models: ['a', 'sim-429'] });
    const ends = observed.filter(({ event }) => event !== 'generation.started');
    expect(observed).toHaveLength(6);
    expect(observed.every(({ channel, run }) => channel === 'logs:generation' && run === 'm1')).toBe(true);
    const ok = ends.find(({ attrs }) => attrs?.lane === 'llm-1');
    expect(ok?.attrs).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'simulated',
      'gen_ai.request.model': 'a',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.time_to_first_chunk': expect.any(Number),
      'gen_ai.usage.output_tokens': expect.any(Number),
      duration_s: expect.any(Number),
    });
    const failed = ends.find(({ attrs }) => attrs?.lane === 'llm-2');
    expect(failed).toMatchObject({ level: 'error', attrs: { 'error.type': 'llm_rate_limited' } });
  });

  it('holds figures alone where the run belongs to somebody, also with LOG_CONTENT', async () => {
    const plan = { owner: 'alice', conversationId: 'talk-1', message: 'xylophone' };
    const { observed, writer } = await process({
      plan,
      models: ['a', 'sim-429'],
      options: { logContent: true },
    });
    expect(observed).toHaveLength(6);
    expect(JSON.stringify(observed)).not.toMatch(/xylophone|picture|m1|llm-|talk|alice|v1/i);
    expect(new Set(observed.map(({ msg }) => msg))).toEqual(
      new Set(['model call started', 'model call finished', 'model call failed']),
    );
    const ok = observed.find(({ event }) => event === 'generation.finished');
    expect(ok?.attrs).toMatchObject({
      'gen_ai.provider.name': 'simulated',
      'gen_ai.usage.output_tokens': expect.any(Number),
      duration_s: expect.any(Number),
    });
    const failed = observed.find(({ event }) => event === 'generation.failed');
    expect(failed?.attrs).toMatchObject({ 'error.type': 'llm_rate_limited' });
    expect(new Set(writer.entries.map(({ channel }) => channel))).toEqual(
      new Set(['runs:alice/m1', 'events:runs:alice', 'conversations:alice/talk-1']),
    );
  });

  it('holds no text of people or models', async () => {
    const { observed } = await process({ plan: { message: 'xylophone' } });
    expect(JSON.stringify(observed)).not.toMatch(/xylophone|careful|picture/i);
  });

  it('holds them when LOG_CONTENT says so', async () => {
    const { observed } = await process({ plan: { message: 'xylophone' }, options: { logContent: true } });
    expect(observed[0]?.attrs?.['gen_ai.input.messages']).toContainEqual({
      role: 'user',
      content: 'xylophone',
    });
    expect(observed.at(-1)?.attrs?.['gen_ai.output.messages']).toContain('Taken together');
  });
});
