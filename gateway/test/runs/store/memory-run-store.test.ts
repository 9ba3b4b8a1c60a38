import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { expect, it } from 'vitest';
import { MemoryRunStore } from '../../../src/runs/store/memory-run-store.ts';
import { testRunStore } from './run-store-conformance.ts';

testRunStore(async () => {
  const broker = new MemoryBroker();
  const store = new MemoryRunStore(broker);
  return { store, other: store, broker };
});

it('a run that the log refuses has never begun', async () => {
  const broker = new MemoryBroker({ ...DEFAULT_RETENTION, maxChannels: 0 });
  const store = new MemoryRunStore(broker);
  const first = draft({ time: 1, channel: 'runs:m1', source: 'test', level: 'info', msg: 'begin' });
  const facts = { owner: '', fingerprint: 'f', gateway: 'gw', promptVersion: 'v', lanes: [] };
  await expect(store.begin({ ...facts, id: 'm1' }, 't', [first])).rejects.toMatchObject({
    code: 'too_many_channels',
  });
  expect(await store.get(ownedKey('', 'm1'))).toBeUndefined();
});
