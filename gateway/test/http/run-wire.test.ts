import type { PageItem } from '@llm-streamer/shared/broker/broker.ts';
import { describe, expect, it } from 'vitest';
import { EventWire } from '../../src/http/run-wire.ts';

const GAP: PageItem = { gap: { channel: 'runs:m1', after: 100, before: 105, reason: 'trimmed', missed: 4 } };
const dataOf = (text: string) => JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '');

describe.each([
  { of: 'tasks', run: { id: 'm1', conversationId: 'c1' }, trimmed: 'Incomplete', lost: 'Lost' },
  {
    of: 'an agent',
    run: { id: 'm1', conversationId: 'c1', agent: 'helper' },
    trimmed: 'incomplete',
    lost: 'lost',
  },
])('the stream of a run of $of', ({ run, trimmed, lost }) => {
  const about = { message_id: 'm1', conversation_id: 'c1', partial: true };

  it('says with the fields of its other events that entries are no longer kept', () => {
    const { text, isLast } = new EventWire(run).next(GAP);
    expect(isLast).toBe(false);
    expect(text).toMatch(/^id: /m);
    expect(dataOf(text)).toMatchObject({
      ...about,
      status: trimmed,
      code: 'history_trimmed',
      final: false,
    });
  });

  it('says so that the log has lost the run', () => {
    expect(dataOf(new EventWire(run).lost())).toMatchObject({
      ...about,
      status: lost,
      code: 'run_lost',
      final: true,
    });
  });
});
