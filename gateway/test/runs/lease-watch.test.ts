import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { describe, expect, it } from 'vitest';
import { LeaseWatch } from '../../src/runs/lease-watch.ts';

const m1 = ownedKey('', 'm1');

/** A watch whose clock and log the test controls. */
function watching() {
  const lost: string[] = [];
  const state = { now: 0, running: [{ key: m1, renewed: 1 }], answers: true };
  const watch = new LeaseWatch({
    store: {
      running: async () => {
        if (!state.answers) throw new Error('away');
        return state.running;
      },
    },
    leaseMs: 4_000,
    everyMs: 1_000,
    now: () => state.now,
    onLost: async (key, renewed) => lost.push(`${key}@${renewed}`),
  });
  const pass = async (ms: number) => {
    for (const end = state.now + ms; state.now < end; state.now += 1_000) await watch.checkNow();
  };
  return { lost, state, watch, pass };
}

describe('a lease', () => {
  it('runs out when the same sign of life was seen for all of it', async () => {
    const { lost, pass } = watching();
    await pass(4_000);
    expect(lost).toEqual([]);
    await pass(1_000);
    expect(lost).toEqual(['m1@1']);
  });

  it('begins anew with every sign of life', async () => {
    const { lost, state, pass } = watching();
    for (let renewed = 2; renewed < 20; renewed++) {
      await pass(3_000);
      state.running = [{ key: m1, renewed }];
    }
    expect(lost).toEqual([]);
  });

  it('begins anew when the log did not answer', async () => {
    const { lost, state, pass } = watching();
    await pass(3_000);
    state.answers = false;
    await pass(1_000);
    state.answers = true;
    await pass(4_000);
    expect(lost).toEqual([]);
    await pass(1_000);
    expect(lost).toEqual(['m1@1']);
  });

  it('begins anew when the watcher itself was away', async () => {
    const { lost, state, pass } = watching();
    await pass(3_000);
    state.now += 60_000;
    await pass(4_000);
    expect(lost).toEqual([]);
  });

  it('of a run that has ended is ignored', async () => {
    const { lost, state, pass } = watching();
    await pass(3_000);
    state.running = [];
    await pass(1_000);
    state.running = [{ key: m1, renewed: 1 }];
    await pass(4_000);
    expect(lost).toEqual([]);
  });
});
