// The answer to a question, from the entries of its run.
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { describe, expect, it } from 'vitest';
import { type Answer, finalText, newAnswer, reduceAnswer } from '../../src/state/answer.ts';

let position = 1_000;
function entry(event: string, msg = '', attrs: Record<string, unknown> = {}): Entry {
  const n = ++position;
  return {
    id: `${n}-${n}`,
    time: n,
    channel: 'runs:r',
    source: 'gw',
    level: 'info',
    msg,
    event,
    run: 'r',
    attrs,
  } as Entry;
}
const tool = (id: string, more: Record<string, unknown> = {}) => ({
  [GEN_AI.tool]: 'listings__findListings',
  [GEN_AI.toolCallId]: id,
  step: 1,
  ...more,
});
const reduced = (entries: readonly Entry[], from: Answer = newAnswer('r', 'runs:r')) =>
  entries.reduce(reduceAnswer, from);

const RUN = [
  entry(EVENTS.runStarted, 'run started', { [GEN_AI.agent]: 'real-estate' }),
  entry(EVENTS.conversationTurn, 'Which homes?', { role: 'user' }),
  entry(EVENTS.generationStarted, '', { step: 1, [ATTRS.tokens]: 90 }),
  entry(EVENTS.generationDelta, 'hm', { kind: 'reasoning', [ATTRS.tokens]: 1 }),
  entry(EVENTS.generationDelta, 'I look.', { [ATTRS.tokens]: 2 }),
  entry(EVENTS.generationFinished, '', { [GEN_AI.inputTokens]: 100, [GEN_AI.outputTokens]: 7 }),
  entry(EVENTS.toolCalled, '', tool('call-1', { arguments: { city: 'Portland' } })),
  entry(EVENTS.toolCalled, '', tool('call-2')),
  entry(EVENTS.toolReturned, '[]', tool('call-1', { [ATTRS.duration]: 0.25 })),
  entry(
    EVENTS.toolReturned,
    'no',
    tool('call-2', { [GEN_AI.errorType]: 'tool_timeout', [ATTRS.duration]: 10 }),
  ),
  entry(EVENTS.generationStarted, '', { step: 2 }),
  entry(EVENTS.generationDelta, '**None.**', { [ATTRS.tokens]: 3 }),
  entry(EVENTS.generationFinished, '', {}),
  entry(EVENTS.runFinished, 'run finished', { input_tokens: 300, output_tokens: 20, limit: 'agent_steps' }),
];

describe('an answer', () => {
  it('has a step for each answer of the model, with the calls between', () => {
    const answer = reduced(RUN);
    expect(answer).toMatchObject({
      question: 'Which homes?',
      agent: 'real-estate',
      state: 'finished',
      limit: 'agent_steps',
    });
    expect(answer.steps).toMatchObject([
      { number: 1, text: 'I look.', reasoning: 'hm', inputTokens: 100, outputTokens: 7 },
      { number: 2, text: '**None.**', outputTokens: 3 },
    ]);
    expect(answer.calls).toMatchObject([
      { id: 'call-1', state: 'returned', step: 1, result: '[]', args: { city: 'Portland' } },
      { id: 'call-2', state: 'failed', code: 'tool_timeout' },
    ]);
    expect(answer.entries.get('call-1')).toBe(RUN[6]?.id);
    expect(answer.usage).toEqual({ input: 300, output: 20, isEstimate: false });
    expect(finalText(answer)).toBe('**None.**');
  });

  it('is the same if a part of its entries comes twice, as after a reconnect', () => {
    for (let again = 0; again < RUN.length; again++)
      expect(reduced([...RUN.slice(0, again + 1), ...RUN.slice(Math.max(0, again - 3))])).toEqual(
        reduced(RUN),
      );
  });

  it('asks for consent until somebody has decided', () => {
    const asked = reduced([
      ...RUN.slice(0, 3),
      entry(EVENTS.toolAsked, '', tool('call-1', { reason: 'rule', expires: 9e12 })),
    ]);
    expect(asked.calls).toMatchObject([{ state: 'waiting', approval: { reason: 'rule', expires: 9e12 } }]);
    const decided = reduced(
      [entry(EVENTS.toolDecided, '', tool('call-1', { approved: false, by: 'alice' }))],
      asked,
    );
    expect(decided.calls[0]?.approval).toMatchObject({ approved: false, by: 'alice' });
  });

  it('takes back as reasoning what turns out to be none', () => {
    const answer = reduced([...RUN.slice(0, 5), entry(EVENTS.generationRetracted)]);
    expect(answer.steps[0]).toMatchObject({ text: '', reasoning: 'hmI look.' });
  });

  it('says why it has ended early, and which calls nobody knows the effect of', () => {
    const lost = entry(EVENTS.runLost, 'The gateway is gone.', {
      [GEN_AI.errorType]: 'run_lost',
      unverified: ['call-1', 7],
    });
    expect(reduced([...RUN.slice(0, 8), lost])).toMatchObject({
      state: 'lost',
      error: { code: 'run_lost', message: 'The gateway is gone.' },
      unverified: ['call-1'],
    });
  });

  it('takes figures that are none for nothing', () => {
    const answer = reduced([
      entry(EVENTS.generationDelta, 'a', { [ATTRS.tokens]: 'many' }),
      entry(EVENTS.generationFinished, '', { [GEN_AI.inputTokens]: -1, [GEN_AI.outputTokens]: Number.NaN }),
      entry(EVENTS.runFailed, 'no', { unverified: 'all', [GEN_AI.errorType]: 7 }),
    ]);
    expect(answer.steps).toMatchObject([{ number: 1, text: 'a', inputTokens: 0, outputTokens: 0 }]);
    expect(answer).toMatchObject({ state: 'failed', error: { code: 'unknown' }, unverified: [] });
  });
});
