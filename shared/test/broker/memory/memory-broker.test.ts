// The embedded log: the contract, and what is its own.

import { afterEach, describe, expect, it } from 'vitest';
import type { Broker } from '../../../src/broker/broker.ts';
import { MemoryBroker } from '../../../src/broker/memory/memory-broker.ts';
import { DEFAULT_RETENTION } from '../../../src/broker/retention.ts';
import { line, testBroker } from '../conformance.ts';

const open: Broker[] = [];
afterEach(async () => {
  for (const broker of open.splice(0)) await broker.close();
});

describe('MemoryBroker', () => {
  const clocks = new Map<Broker, { aheadMs: number }>();
  testBroker(
    async ({ retention } = {}) => {
      const clock = { aheadMs: 0 };
      const now = () => Date.now() + clock.aheadMs;
      const broker = new MemoryBroker({ ...DEFAULT_RETENTION, ...retention }, now);
      open.push(broker);
      clocks.set(broker, clock);
      return broker;
    },
    async (broker, channel) => {
      (clocks.get(broker) ?? expect.fail('another broker')).aheadMs += 60_001;
      expect((await broker.channels('*')).map((info) => info.channel)).not.toContain(channel);
    },
  );

  it('drops the entries of a channel that was idle too long, and says so', async () => {
    let now = 1_795_224_320_000;
    const broker = new MemoryBroker(
      { ...DEFAULT_RETENTION, default: { entries: 10, idleMs: 1_000 } },
      () => now,
    );
    open.push(broker);
    const before = await broker.head();
    await broker.publish([line('a', '1')]);
    now += 1_001;
    const page = await broker.readPage({ channels: ['a'], after: before, limit: 10 });
    expect(page.items).toMatchObject([{ gap: { channel: 'a', after: before, reason: 'expired' } }]);
  });

  it('says of a gap whether a bound took the entries, or time', async () => {
    let now = 1_795_224_320_000;
    const broker = new MemoryBroker({ ...DEFAULT_RETENTION, maxBytes: 20_000 }, () => now);
    open.push(broker);
    const after = await broker.head();
    const reasons = async () => {
      const { items } = await broker.readPage({ channels: ['a'], after, limit: 1_000 });
      return items.flatMap(({ gap }) => (gap ? [gap.reason] : []));
    };
    for (let i = 0; i < 10; i++) await broker.publish([line('a', 'x'.repeat(5_000))]);
    expect(await reasons()).toEqual(['trimmed']);
    now += DEFAULT_RETENTION.default.idleMs + 1;
    expect(await reasons()).toEqual(['expired']);
    await broker.publish([line('a', 'again')]);
    expect(await reasons()).toEqual(['expired']);
    expect(await broker.channels('a')).toMatchObject([{ entries: 1, total: 1 }]);
  });

  it('stays within its bytes', async () => {
    const broker = new MemoryBroker({ ...DEFAULT_RETENTION, maxBytes: 100_000 });
    open.push(broker);
    for (let i = 0; i < 100; i++) await broker.publish([line(`c${i % 3}`, 'x'.repeat(5_000))]);
    const channels = await broker.channels('*');
    const kept = channels.reduce((sum, { entries }) => sum + entries, 0);
    expect(kept).toBeGreaterThan(5);
    expect(kept * 5_000).toBeLessThan(100_000);
  });
});
