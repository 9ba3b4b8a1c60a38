import { describe, expect, it } from 'vitest';
import { answersOf } from '../../src/chat/turns.ts';

describe('a conversation before its runs are read', () => {
  const turns = [
    { role: 'user' as const, message: 'one', message_id: 'a', time: 10 },
    { role: 'assistant' as const, message: 'ONE', message_id: 'a', time: 10 },
  ];
  const run = (message_id: string, state: string, started: number, conversation_id = 'c') =>
    ({ message_id, state, started, conversation_id, agent: 'x' }) as never;

  it('has the turns of runs that finished, and the runs that have none', () => {
    const runs = [run('d', 'running', 30), run('b', 'cancelled', 20), run('z', 'running', 5, 'other')];
    expect(answersOf('c', 'alice', { conversation_id: 'c', turns }, runs)).toMatchObject([
      { id: 'a', channel: 'runs:alice/a', question: 'one', state: 'finished', steps: [{ text: 'ONE' }] },
      { id: 'b', question: undefined, state: 'cancelled' },
      { id: 'd', state: 'running' },
    ]);
  });
});
