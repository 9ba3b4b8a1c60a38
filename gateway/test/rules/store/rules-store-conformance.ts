// What every store of the rules promises; each implementation runs it.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import type { RulesStore, Step } from '../../../src/rules/store/rules-store.ts';
import { MAX_WAITING } from '../../../src/rules/store/rules-store.ts';

export const stepOf = (seq: number, more: Partial<Step> = {}): Step => ({
  seq,
  position: seq,
  drafts: [],
  states: new Map(),
  firing: new Map(),
  messages: [],
  ...more,
});

export const state = { rule: 'r', version: 'v', seen: 1, counts: [[5, 2]] };
export const firing = { text: 'x', level: 'error', alert: 'r', rule: 'r', since: 1 };

export async function textsOf(broker: Broker, channel: string): Promise<string[]> {
  const { items } = await broker.readPage({ channels: [channel], after: 0, limit: 1_000 });
  return items.flatMap(({ record }) => record?.entry.msg ?? []);
}

export function testRulesStore(make: () => Promise<{ store: RulesStore; broker: Broker }>): void {
  it('rules begin with what is written after the first start, and go on where they stopped', async () => {
    const { store, broker } = await make();
    await broker.publish([line('logs', 'old')]);
    await store.begin();
    const before = await broker.head();
    await broker.publish([line('logs', 'new')]);
    await store.begin();
    const lead = await store.lead('one');
    expect(lead).toMatchObject({ seq: 0, position: before, head: await broker.head() });
    await store.commit('one', stepOf(1, { position: before + 1 }));
    expect(await store.lead('one')).toMatchObject({ seq: 1, position: before + 1 });
  });

  it('a step writes its entries, and keeps all that goes with them', async () => {
    const { store, broker } = await make();
    await store.lead('one');
    const drafts = [line('events:a', 'first'), line('events:b', 'second')];
    const messages = [
      { destination: 'ops', message: 'm1' },
      { destination: 'ops', message: 'm2' },
    ];
    await store.commit(
      'one',
      stepOf(1, {
        drafts,
        states: new Map([['r', JSON.stringify(state)]]),
        firing: new Map([['r', JSON.stringify(firing)]]),
        messages,
      }),
    );
    expect([await textsOf(broker, 'events:a'), await textsOf(broker, 'events:b')]).toEqual([
      ['first'],
      ['second'],
    ]);
    expect(await store.states()).toEqual([['r', state]]);
    expect(await store.firing()).toEqual([firing]);
    expect(await store.waiting('ops', 1)).toEqual(['m1']);
    await store.delivered('one', 'ops', 1);
    expect(await store.waiting('ops', 10)).toEqual(['m2']);
    await store.commit(
      'one',
      stepOf(2, { states: new Map([['r', undefined]]), firing: new Map([['r', undefined]]) }),
    );
    expect([await store.states(), await store.firing()]).toEqual([[], []]);
  });

  it('a step that comes again, since its reply was lost, is stored once', async () => {
    const { store, broker } = await make();
    await store.lead('one');
    const step = stepOf(1, {
      drafts: [line('events:a', 'once')],
      messages: [{ destination: 'ops', message: 'm' }],
    });
    await store.commit('one', step);
    await store.commit('one', step);
    expect(await textsOf(broker, 'events:a')).toEqual(['once']);
    expect(await store.waiting('ops', 10)).toEqual(['m']);
  });

  it('of very many messages that wait, the oldest are dropped, and counted', async () => {
    const { store } = await make();
    await store.lead('one');
    const messages = Array.from({ length: MAX_WAITING + 3 }, (_, i) => ({
      destination: 'ops',
      message: `${i}`,
    }));
    expect(await store.commit('one', stepOf(1, { messages }))).toEqual({ dropped: 3 });
    expect(await store.waiting('ops', 1)).toEqual(['3']);
  });
}
