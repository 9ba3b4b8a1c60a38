import { describe, expect, it } from 'vitest';
import { answersOf, branchOf } from '../../src/chat/turns.ts';
import { newAnswer } from '../../src/state/answer.ts';

describe('a conversation before its runs are read', () => {
  const turns = [
    { role: 'user' as const, message: 'one', message_id: 'a', time: 10 },
    { role: 'assistant' as const, message: 'ONE', message_id: 'a', time: 10 },
  ];
  const run = (message_id: string, state: string, started: number, conversation_id = 'c') =>
    ({ message_id, state, started, conversation_id, agent: 'x' }) as never;

  it('has the turns of runs that finished, and the runs that have none', () => {
    const runs = [run('d', 'running', 30), run('b', 'cancelled', 20), run('z', 'running', 5, 'other')];
    expect(branchOf(answersOf('c', 'alice', { conversation_id: 'c', turns }, runs))).toMatchObject([
      { id: 'a', channel: 'runs:alice/a', question: 'one', state: 'finished', steps: [{ text: 'ONE' }] },
      { id: 'b', question: undefined, state: 'cancelled' },
      { id: 'd', state: 'running' },
    ]);
  });

  it('says how a question has ended that got no answer', () => {
    const question = { role: 'user' as const, message: 'one', message_id: 'a', time: 10 };
    const failed = { conversation_id: 'c', turns: [{ ...question, state: 'failed' as const }] };
    expect(answersOf('c', 'alice', failed, [])).toMatchObject([{ question: 'one', state: 'failed' }]);
  });

  it('goes on from an edited question, however often it was edited', () => {
    const answer = (id: string, started: number, replaces?: string) =>
      newAnswer(id, `runs:${id}`, { started, ...(replaces !== undefined && { replaces }) });
    const all = [answer('a', 1), answer('b', 2), answer('c', 3), answer('b1', 4, 'b'), answer('d', 5)];
    const shown = (...more: ReturnType<typeof answer>[]) => branchOf([...more, ...all]).map(({ id }) => id);
    expect(shown()).toEqual(['a', 'b1', 'd']);
    expect(shown(answer('b2', 6, 'b1'))).toEqual(['a', 'b2']);
    expect(shown(answer('b2', 6, 'b'))).toEqual(['a', 'b2']);
    expect(shown(answer('new', 0, 'a'))).toEqual(['new']);
    expect(shown(answer('x', 6, 'gone'))).toEqual(['a', 'b1', 'd', 'x']);
  });
});
