import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contextOf, estimateTokens, type Turn, turnEntry, turnOf } from '../../src/runs/conversation.ts';

const turn = (role: Turn['role'], text: string): Turn => ({ role, text, run: 'm1', time: 1 });
const turns = [
  turn('user', 'a'.repeat(40)),
  turn('assistant', 'b'.repeat(40)),
  turn('user', 'c'.repeat(40)),
  turn('assistant', 'd'.repeat(40)),
];

describe('the context of a conversation', () => {
  it('is everything while it fits', () => {
    expect(contextOf(turns, 40).history.map(({ content }) => content[0])).toEqual(['a', 'b', 'c', 'd']);
  });

  it('drops the oldest exchange whole', () => {
    expect(contextOf(turns, 39).history.map(({ content }) => content[0])).toEqual(['c', 'd']);
  });

  it('is empty where not even the last exchange fits', () => {
    expect(contextOf(turns, 19)).toEqual({ history: [] });
  });

  it('is tainted while it holds a tainted turn', () => {
    const tainted = turns.with(1, { ...(turns[1] as Turn), isTainted: true });
    expect(contextOf(tainted, 40)).toMatchObject({ isTainted: true });
    expect(contextOf(tainted, 39)).not.toHaveProperty('isTainted');
  });

  it('never exceeds its bound and always begins with a question', () => {
    const anyTurn = fc.record({
      role: fc.constantFrom('user' as const, 'assistant' as const),
      text: fc.string({ maxLength: 200 }),
      run: fc.constant('m'),
      time: fc.constant(1),
    });
    fc.assert(
      fc.property(fc.array(anyTurn), fc.nat(300), (some, bound) => {
        const { history: context } = contextOf(some, bound);
        const size = context.reduce((sum, { content }) => sum + estimateTokens(content), 0);
        expect(size).toBeLessThanOrEqual(bound);
        if (context.length > 0) expect(context[0]?.role).toBe('user');
      }),
    );
  });
});

describe('a turn', () => {
  it('comes back from its entry', () => {
    expect(turnOf(turnEntry(ownedKey('', 'c1'), turns[1] as Turn, 'gw'))).toEqual(turns[1]);
  });

  it('that got no answer comes back with how its run has ended, and is not given to models', () => {
    const lost = { ...(turns[0] as Turn), state: 'lost' } as const;
    expect(turnOf(turnEntry(ownedKey('', 'c1'), lost, 'gw'))).toEqual(lost);
    expect(contextOf([lost], 1_000)).toEqual({ history: [] });
  });

  it('is nothing that only looks like one', () => {
    const entry = turnEntry(ownedKey('', 'c1'), turns[0] as Turn, 'gw');
    expect(turnOf({ ...entry, event: 'other' })).toBeUndefined();
    expect(turnOf({ ...entry, attrs: { role: 'system' } })).toBeUndefined();
  });
});
