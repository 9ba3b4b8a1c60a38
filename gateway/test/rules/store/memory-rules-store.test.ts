import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { MemoryRulesStore } from '../../../src/rules/store/memory-rules-store.ts';
import { stepOf, testRulesStore, textsOf } from './rules-store-conformance.ts';

testRulesStore(async () => {
  const broker = new MemoryBroker();
  return { broker, store: new MemoryRulesStore(broker) };
});

it('a step may hold more entries than one batch', async () => {
  const broker = new MemoryBroker();
  const store = new MemoryRulesStore(broker);
  await store.lead();
  const drafts = Array.from({ length: 700 }, (_, i) => line('events:a', `${i}`));
  await store.commit('one', stepOf(1, { drafts }));
  expect(await textsOf(broker, 'events:a')).toHaveLength(700);
});

it('of a step that the log refuses nothing is written, however many batches it is', async () => {
  const broker = new MemoryBroker({ ...DEFAULT_RETENTION, maxChannels: 1 });
  const store = new MemoryRulesStore(broker);
  await store.lead();
  const drafts = Array.from({ length: 700 }, (_, i) => line(i < 600 ? 'events:a' : 'events:b', `${i}`));
  await expect(store.commit('one', stepOf(1, { drafts }))).rejects.toMatchObject({
    code: 'too_many_channels',
  });
  expect(await textsOf(broker, 'events:a')).toEqual([]);
  expect(await store.lead()).toMatchObject({ seq: 0 });
});
