// The suite that every store of runs must pass. The test file of each implementation runs it.

import { randomUUID } from 'node:crypto';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import { describe, expect, it } from 'vitest';
import type { RunFacts, RunStore } from '../../../src/runs/store/run-store.ts';

export interface StoreUnderTest {
  store: RunStore;
  /** The store of another process with the same records; the same object if the store is in memory. */
  other: RunStore;
  broker: Broker;
}

const totals = { inputTokens: 0, outputTokens: 0, durationMs: 1 };

const facts: Omit<RunFacts, 'id'> = {
  fingerprint: 'f1',
  gateway: 'gw-a',
  conversationId: 'c1',
  promptVersion: 'v1',
  lanes: [{ lane: 'llm-1', role: 'task', provider: 'simulated', model: 'sim-1' }],
};

export function testRunStore(make: () => Promise<StoreUnderTest>): void {
  const says = (id: string, ...msgs: string[]): Draft[] =>
    msgs.map((msg) => draft({ time: 1, channel: `runs:${id}`, source: 'test', level: 'info', msg }));

  const heard = async (broker: Broker, id: string) => {
    const page = await broker.readPage({ channels: [`runs:${id}`], after: BEGINNING, limit: 100 });
    return page.items.flatMap(({ record }) => (record ? [record.entry.msg] : []));
  };

  const begun = async () => {
    const under = await make();
    const id = `m-${randomUUID()}`;
    const token = randomUUID();
    expect(await under.store.begin({ ...facts, id }, token, says(id, 'begin'))).toBe('started');
    return { ...under, id, token };
  };

  describe('a run', () => {
    it('begins with its record and its first entries', async () => {
      const { other, broker, id } = await begun();
      expect(await other.get(id)).toMatchObject({ ...facts, id, state: 'running', ended: 0 });
      expect((await other.get(id))?.started).toBeGreaterThan(1_700_000_000_000);
      expect(await heard(broker, id)).toEqual(['begin']);
    });

    it('begins once: another token finds it, and the same token is a repeat', async () => {
      const { other, broker, id, token } = await begun();
      expect(await other.begin({ ...facts, id }, randomUUID(), says(id, 'again'))).toBe('exists');
      expect(await other.begin({ ...facts, id }, token, says(id, 'repeated'))).toBe('started');
      expect(await heard(broker, id)).toEqual(['begin']);
    });

    it('stores the entries of its owner in order, and each batch once', async () => {
      const { store, broker, id, token } = await begun();
      const stamp = { writer: randomUUID(), seq: 1 };
      await store.append(id, token, says(id, 'a', 'b'), stamp);
      await store.append(id, token, says(id, 'a', 'b'), stamp);
      await store.append(id, token, says(id, 'c'), { ...stamp, seq: 2 });
      expect(await heard(broker, id)).toEqual(['begin', 'a', 'b', 'c']);
    });

    it('refuses entries with another token', async () => {
      const { other, broker, id } = await begun();
      await expect(other.append(id, randomUUID(), says(id, 'x'))).rejects.toMatchObject({ code: 'fenced' });
      await expect(other.append('m-none', 'x', says('m-none', 'x'))).rejects.toMatchObject({
        code: 'fenced',
      });
      expect(await heard(broker, id)).toEqual(['begin']);
    });

    it('is renewed by every append, also by one without entries', async () => {
      const { store, other, id, token } = await begun();
      const before = (await other.get(id))?.renewed as number;
      await store.append(id, token, []);
      await store.append(id, token, says(id, 'a'));
      expect((await other.get(id))?.renewed).toBe(before + 2);
    });

    it('ends once, with its state and its last entries', async () => {
      const { store, other, broker, id, token } = await begun();
      const used = { inputTokens: 3, outputTokens: 5, durationMs: 700, estimated: true } as const;
      expect(await store.end(id, { state: 'finished', totals: used }, says(id, 'end'), { token })).toBe(true);
      expect(await other.end(id, { state: 'cancelled', totals }, says(id, 'late'), 'anybody')).toBe(false);
      expect(await other.get(id)).toMatchObject({ state: 'finished', totals: used });
      expect((await other.get(id))?.ended).toBeGreaterThan(0);
      expect(await heard(broker, id)).toEqual(['begin', 'end']);
    });

    it('that has ended refuses all entries, also those of its owner', async () => {
      const { store, other, broker, id, token } = await begun();
      await other.end(id, { state: 'cancelled', code: 'cancelled', totals }, says(id, 'end'), 'anybody');
      await expect(store.append(id, token, says(id, 'x'))).rejects.toMatchObject({ code: 'fenced' });
      await expect(store.append(id, token, [])).rejects.toMatchObject({ code: 'fenced' });
      expect(await store.end(id, { state: 'finished', totals }, says(id, 'y'), { token })).toBe(false);
      expect(await heard(broker, id)).toEqual(['begin', 'end']);
      expect(await store.get(id)).toMatchObject({ state: 'cancelled', code: 'cancelled' });
    });

    it('has exactly one end, however many ask for one at once', async () => {
      const { store, other, broker, id, token } = await begun();
      const asked = await Promise.all([
        store.end(id, { state: 'finished', totals }, says(id, 'end'), { token }),
        other.end(id, { state: 'cancelled', totals }, says(id, 'end'), 'anybody'),
        other.end(id, { state: 'lost', totals }, says(id, 'end'), 'anybody'),
        store.end(id, { state: 'failed', totals }, says(id, 'end'), { token }),
      ]);
      expect(asked.filter(Boolean)).toHaveLength(1);
      expect(await heard(broker, id)).toEqual(['begin', 'end']);
    });

    it('is declared lost only if it has not been renewed since it was seen', async () => {
      const { store, other, id, token } = await begun();
      const seen = (await other.running()).find((run) => run.id === id) as { renewed: number };
      await store.append(id, token, []);
      expect(
        await other.end(id, { state: 'lost', totals }, says(id, 'lost'), { renewed: seen.renewed }),
      ).toBe(false);
      const { renewed } = (await other.get(id)) as { renewed: number };
      expect(await other.end(id, { state: 'lost', totals }, says(id, 'lost'), { renewed })).toBe(true);
    });

    it('is never ended by a token that is not its own', async () => {
      const { other, id } = await begun();
      expect(await other.end(id, { state: 'failed', totals }, says(id, 'x'), { token: randomUUID() })).toBe(
        false,
      );
      expect((await other.get(id))?.state).toBe('running');
    });

    it('writes to several channels in one step', async () => {
      const { store, broker, id, token } = await begun();
      const copy = draft({ time: 1, channel: 'events:runs', source: 'test', level: 'info', msg: id });
      await store.end(id, { state: 'finished', totals }, [...says(id, 'end'), copy], { token });
      const page = await broker.readPage({ channels: ['events:runs'], after: BEGINNING, limit: 1000 });
      expect(page.items.filter(({ record }) => record?.entry.msg === id)).toHaveLength(1);
    });
  });

  describe('the store', () => {
    it('lists the newest runs first and those that run', async () => {
      const { store, other } = await make();
      const ids = ['one', 'two', 'three'].map((name) => `m-${name}-${randomUUID()}`);
      for (const id of ids) {
        await store.begin({ ...facts, id }, 'token', says(id, 'begin'));
        await store.append(id, 'token', []);
        const began = Date.now(); // two runs that begin in the same millisecond have no order
        await until(() => Date.now() > began);
      }
      await store.end(ids[1] as string, { state: 'finished', totals }, [], { token: 'token' });
      expect((await other.list(2)).map(({ id }) => id)).toEqual([ids[2], ids[1]]);
      expect((await other.running()).map(({ id }) => id).sort()).toEqual([ids[0], ids[2]].sort());
    });

    it('knows nothing of a run that never was', async () => {
      const { other } = await make();
      expect(await other.get('m-none')).toBeUndefined();
      expect(await other.end('m-none', { state: 'lost', totals }, [], 'anybody')).toBe(false);
    });
  });

  const until = async (done: () => boolean) => {
    while (!done()) await new Promise((resolve) => setImmediate(resolve));
  };
}
