// No fault of Redis or of a gateway loses an entry silently: compares what every viewer received with what the log acknowledged.

import { describe, expect, it } from 'vitest';
import { startRedis } from '../../../test-support/redis.ts';
import { FAULTS, FailoverProxy, promoteLaggingReplica } from './fleet/faults.ts';
import { Fleet, type FleetOptions } from './fleet/fleet.ts';
import type { Verdict } from './fleet/verdict.ts';

const SCALE = { viewers: 12, channels: 10, entriesPerSecond: 300, dropsPerSecond: 10 };
const PACE = 200;

function expectWhole(verdict: Verdict): void {
  const { missing, explained, duplicates, disordered, falseGaps, ledgerFaults, details } = verdict;
  const sum = { unexplained: missing - explained, duplicates, disordered, falseGaps, ledgerFaults };
  expect(sum, details.slice(0, 10).join('\n')).toEqual({
    unexplained: 0,
    duplicates: 0,
    disordered: 0,
    falseGaps: 0,
    ledgerFaults: 0,
  });
  expect(verdict.entries).toBeGreaterThan(PACE);
  expect(verdict.reconnects).toBeGreaterThan(0);
  expect(verdict.compressed).toBeGreaterThan(0);
}

async function withFleet(
  options: Partial<FleetOptions>,
  play: (fleet: Fleet) => Promise<void>,
): Promise<Verdict> {
  const redis = options.redis ?? (await startRedis({ args: ['--appendonly', 'yes'] }));
  const fleet = new Fleet({ ...SCALE, seed: 42, ...options, redis });
  try {
    await fleet.start();
    await play(fleet);
    return await fleet.finish();
  } finally {
    await fleet.stop();
    await redis.stop();
  }
}

describe.concurrent('viewers lose nothing silently', () => {
  for (const [name, fault] of Object.entries(FAULTS)) {
    it(name, { timeout: 180_000 }, async () => {
      const redis = await startRedis({ args: ['--appendonly', 'yes'] });
      const verdict = await withFleet({ redis }, (fleet) => fault({ fleet, redis, pace: PACE }));
      expectWhole(verdict);
      expect(verdict.missing).toBe(0);
    });
  }

  it('a lagging replica promoted behind the same address', { timeout: 180_000 }, async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes'] });
    const proxy = await FailoverProxy.start(redis.port);
    let replica: { stop(): Promise<void> } | undefined;
    try {
      const verdict = await withFleet({ redis, redisUrl: proxy.url }, async (fleet) => {
        replica = await promoteLaggingReplica({ fleet, redis, pace: PACE }, proxy);
      });
      expectWhole(verdict);
      expect(verdict.explained).toBeGreaterThan(0);
    } finally {
      proxy.stop();
      await replica?.stop();
    }
  });
});
