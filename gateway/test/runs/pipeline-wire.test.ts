import { describe, expect, it } from 'vitest';
import { wireEvent } from '../../src/runs/wire.ts';
import { process } from './pipeline-harness.ts';

describe('the wire', () => {
  it('shows a run as thinking, content and done', async () => {
    const { writer } = await process({ plan: { conversationId: 'c1' } });
    const events = writer.onChannel('runs:').flatMap((entry) => wireEvent(entry, 'm1') ?? []);
    expect(events[0]).toEqual({
      event: 'thinking',
      data: { message_id: 'm1', conversation_id: 'c1', status: 'Sending to llm-1', source: 'llm-1' },
    });
    expect(events).toContainEqual({
      event: 'thinking',
      data: { message_id: 'm1', conversation_id: 'c1', status: 'Combining via LLM 3', source: 'llm-combine' },
    });
    const said = (kind: string, source: string) =>
      events
        .filter(({ event, data }) => event === kind && data.source === source && data.status === 'Streaming')
        .map(({ data }) => data.message)
        .join('');
    expect(said('thinking', 'llm-1')).toBe(writer.view.lanes[0]?.text);
    expect(said('content', 'llm-combine')).toBe(writer.view.lanes[2]?.text);
    expect(events.at(-1)).toEqual({
      event: 'done',
      data: {
        message_id: 'm1',
        conversation_id: 'c1',
        status: 'Completed',
        source: 'llm-combine',
        final: true,
        usage: { input_tokens: expect.any(Number), output_tokens: expect.any(Number) },
      },
    });
    expect(events.filter(({ data }) => data.final)).toHaveLength(1);
  });

  it('shows a failed lane and a failed run as errors, the last one final', async () => {
    const { writer } = await process({ models: ['sim-die'] });
    const errors = writer
      .onChannel('runs:')
      .flatMap((entry) => wireEvent(entry, 'm1') ?? [])
      .filter(({ event }) => event === 'error');
    expect(errors.map(({ data }) => data)).toEqual([
      {
        message_id: 'm1',
        status: 'Failed',
        source: 'llm-1',
        code: 'llm_interrupted',
        message: 'The connection to the model broke off.',
        partial: true,
        final: false,
      },
      {
        message_id: 'm1',
        status: 'Failed',
        code: 'no_answer',
        message: 'No model gave an answer.',
        partial: true,
        final: true,
        usage: { input_tokens: expect.any(Number), output_tokens: expect.any(Number), estimated: true },
      },
    ]);
  });
});

it('an entry of a run that somebody has written to Redis cannot break the wire', () => {
  const odd = { toString: 1, valueOf: 1 };
  const attrs = { combiner: odd, input_tokens: odd, output_tokens: odd };
  const entry = { time: 1, channel: 'runs:a', source: 's', level: 'info', msg: '' } as const;
  expect(wireEvent({ ...entry, event: 'run.finished', attrs } as never, 'm1')).toMatchObject({
    event: 'done',
    data: { source: '' },
  });
});
