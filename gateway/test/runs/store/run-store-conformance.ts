// The suite that every store of runs must pass. The test file of each implementation runs it.

import { randomUUID } from 'node:crypto';
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import {
  conversationChannel,
  type OwnedKey,
  ownedKey,
  partsOf,
  runChannel,
} from '@llm-streamer/shared/ownership.ts';
import { describe, expect, it } from 'vitest';
import type { ConversationStore } from '../../../src/runs/store/conversation-store.ts';
import { LISTED_RUNS, type RunFacts, type RunStore } from '../../../src/runs/store/run-store.ts';

export interface StoreUnderTest {
  store: RunStore;
  /** The store of another process with the same records; the same object if the store is in memory. */
  other: RunStore & { conversations: ConversationStore };
  broker: Broker;
}

const totals = { inputTokens: 0, outputTokens: 0, durationMs: 1 };

const facts: Omit<RunFacts, 'id' | 'owner'> = {
  fingerprint: 'f1',
  gateway: 'gw-a',
  conversationId: 'c1',
  promptVersion: 'v1',
  lanes: [{ lane: 'llm-1', role: 'task', provider: 'simulated', model: 'sim-1' }],
};

export function testRunStore(make: () => Promise<StoreUnderTest>): void {
  const says = (key: OwnedKey, ...msgs: string[]): Draft[] =>
    msgs.map((msg) => draft({ time: 1, channel: runChannel(key), source: 'test', level: 'info', msg }));

  const heard = async (broker: Broker, key: OwnedKey) => {
    const page = await broker.readPage({ channels: [runChannel(key)], after: BEGINNING, limit: 100 });
    return page.items.flatMap(({ record }) => (record ? [record.entry.msg] : []));
  };

  const keyOf = ({ owner, id }: RunFacts) => ownedKey(owner, id);
  const fresh = (owner: string) => ownedKey(owner, `m-${randomUUID()}`);
  const none = ownedKey('', 'm-none');

  const begun = async (owner: string) => {
    const under = await make();
    const key = fresh(owner);
    const token = randomUUID();
    expect(await under.store.begin({ ...facts, ...partsOf(key) }, token, says(key, 'begin'))).toBe('started');
    return { ...under, key, token };
  };

  describe.each(['', 'alice'])('a run of %j', (owner) => {
    it('begins with its record and its first entries', async () => {
      const { other, broker, key } = await begun(owner);
      expect(await other.get(key)).toMatchObject({ ...facts, ...partsOf(key), state: 'running', ended: 0 });
      expect((await other.get(key))?.started).toBeGreaterThan(1_700_000_000_000);
      expect(await heard(broker, key)).toEqual(['begin']);
    });

    it('begins once: another token finds it, and the same token is a repeat', async () => {
      const { other, broker, key, token } = await begun(owner);
      expect(await other.begin({ ...facts, ...partsOf(key) }, randomUUID(), says(key, 'again'))).toBe(
        'exists',
      );
      expect(await other.begin({ ...facts, ...partsOf(key) }, token, says(key, 'repeated'))).toBe('started');
      expect(await heard(broker, key)).toEqual(['begin']);
    });

    it('stores the entries of its gateway in order, and each batch once', async () => {
      const { store, broker, key, token } = await begun(owner);
      const stamp = { writer: randomUUID(), seq: 1 };
      await store.append(key, token, says(key, 'a', 'b'), stamp);
      await store.append(key, token, says(key, 'a', 'b'), stamp);
      await store.append(key, token, says(key, 'c'), { ...stamp, seq: 2 });
      expect(await heard(broker, key)).toEqual(['begin', 'a', 'b', 'c']);
    });

    it('refuses entries with another token', async () => {
      const { other, broker, key } = await begun(owner);
      await expect(other.append(key, randomUUID(), says(key, 'x'))).rejects.toMatchObject({ code: 'fenced' });
      await expect(other.append(none, 'x', says(none, 'x'))).rejects.toMatchObject({
        code: 'fenced',
      });
      expect(await heard(broker, key)).toEqual(['begin']);
    });

    it('is renewed by every append, also by one without entries', async () => {
      const { store, other, key, token } = await begun(owner);
      const before = (await other.get(key))?.renewed as number;
      await store.append(key, token, []);
      await store.append(key, token, says(key, 'a'));
      expect((await other.get(key))?.renewed).toBe(before + 2);
    });

    it('ends once, with its state and its last entries', async () => {
      const { store, other, broker, key, token } = await begun(owner);
      const used = { inputTokens: 3, outputTokens: 5, durationMs: 700, estimated: true } as const;
      expect(await store.end(key, { state: 'finished', totals: used }, says(key, 'end'), { token })).toBe(
        true,
      );
      expect(await other.end(key, { state: 'cancelled', totals }, says(key, 'late'), 'anybody')).toBe(false);
      expect(await other.get(key)).toMatchObject({ state: 'finished', totals: used });
      expect((await other.get(key))?.ended).toBeGreaterThan(0);
      expect(await heard(broker, key)).toEqual(['begin', 'end']);
    });

    it('that has ended refuses all entries, also those of its gateway', async () => {
      const { store, other, broker, key, token } = await begun(owner);
      await other.end(key, { state: 'cancelled', code: 'cancelled', totals }, says(key, 'end'), 'anybody');
      await expect(store.append(key, token, says(key, 'x'))).rejects.toMatchObject({ code: 'fenced' });
      await expect(store.append(key, token, [])).rejects.toMatchObject({ code: 'fenced' });
      expect(await store.end(key, { state: 'finished', totals }, says(key, 'y'), { token })).toBe(false);
      expect(await heard(broker, key)).toEqual(['begin', 'end']);
      expect(await store.get(key)).toMatchObject({ state: 'cancelled', code: 'cancelled' });
    });

    it('has exactly one end, however many ask for one at once', async () => {
      const { store, other, broker, key, token } = await begun(owner);
      const asked = await Promise.all([
        store.end(key, { state: 'finished', totals }, says(key, 'end'), { token }),
        other.end(key, { state: 'cancelled', totals }, says(key, 'end'), 'anybody'),
        other.end(key, { state: 'lost', totals }, says(key, 'end'), 'anybody'),
        store.end(key, { state: 'failed', totals }, says(key, 'end'), { token }),
      ]);
      expect(asked.filter(Boolean)).toHaveLength(1);
      expect(await heard(broker, key)).toEqual(['begin', 'end']);
    });

    it('has calls that wait until somebody decides, once, wherever', async () => {
      const { store, other, broker, key, token } = await begun(owner);
      const stamp = { writer: randomUUID(), seq: 1 };
      await store.ask(key, token, 'call-1', says(key, 'asked'), stamp);
      expect((await other.get(key))?.approvals).toEqual([{ id: 'call-1' }]);
      const yes = { approved: true, by: 'alice' };
      const no = { approved: false, by: 'bob', reason: 'not now' };
      expect(await other.decide(key, 'call-2', yes, says(key, 'never'))).toBe('unknown');
      const answers = await Promise.all([
        other.decide(key, 'call-1', no, says(key, 'decided')),
        store.decide(key, 'call-1', yes, says(key, 'decided')),
      ]);
      expect(answers.toSorted()).toEqual(['decided', 'ok']);
      const decision = answers[0] === 'ok' ? no : yes;
      expect((await store.get(key))?.approvals).toEqual([{ id: 'call-1', decision }]);
      await store.ask(key, token, 'call-1', says(key, 'asked'), stamp); // the reply was lost, and it is repeated
      expect((await store.get(key))?.approvals).toEqual([{ id: 'call-1', decision }]);
      expect(await heard(broker, key)).toEqual(['begin', 'asked', 'decided']);
    });

    it('decides nothing after its end, and asks for nothing with another token', async () => {
      const { store, other, broker, key, token } = await begun(owner);
      const stamp = { writer: randomUUID(), seq: 1 };
      await expect(other.ask(key, randomUUID(), 'call-9', says(key, 'x'), stamp)).rejects.toMatchObject({
        code: 'fenced',
      });
      expect((await store.get(key))?.approvals).toEqual([]);
      await store.ask(key, token, 'call-1', says(key, 'asked'), stamp);
      const { renewed } = (await other.get(key)) as { renewed: number };
      await other.end(key, { state: 'cancelled', totals }, says(key, 'end'), { renewed });
      expect(await other.decide(key, 'call-1', { approved: true, by: 'a' }, says(key, 'late'))).toBe('ended');
      expect(await heard(broker, key)).toEqual(['begin', 'asked', 'end']);
    });

    it('is no longer alive because somebody has decided', async () => {
      const { store, other, key, token } = await begun(owner);
      await store.ask(key, token, 'call-1', says(key, 'asked'), { writer: randomUUID(), seq: 1 });
      const before = (await other.get(key))?.renewed;
      await other.decide(key, 'call-1', { approved: true, by: 'a' }, says(key, 'decided'));
      expect((await other.get(key))?.renewed).toBe(before);
    });

    it('is declared lost only if it has not been renewed since it was seen', async () => {
      const { store, other, key, token } = await begun(owner);
      const seen = (await other.running()).find((run) => run.key === key) as { renewed: number };
      await store.append(key, token, []);
      expect(
        await other.end(key, { state: 'lost', totals }, says(key, 'lost'), { renewed: seen.renewed }),
      ).toBe(false);
      const { renewed } = (await other.get(key)) as { renewed: number };
      expect(await other.end(key, { state: 'lost', totals }, says(key, 'lost'), { renewed })).toBe(true);
    });

    it('is never ended by a token that is not its own', async () => {
      const { other, key } = await begun(owner);
      expect(await other.end(key, { state: 'failed', totals }, says(key, 'x'), { token: randomUUID() })).toBe(
        false,
      );
      expect((await other.get(key))?.state).toBe('running');
    });

    it('writes to several channels in one step', async () => {
      const { store, broker, key, token } = await begun(owner);
      const copy = draft({ time: 1, channel: 'events:runs', source: 'test', level: 'info', msg: key });
      await store.end(key, { state: 'finished', totals }, [...says(key, 'end'), copy], { token });
      const page = await broker.readPage({ channels: ['events:runs'], after: BEGINNING, limit: 1000 });
      expect(page.items.filter(({ record }) => record?.entry.msg === key)).toHaveLength(1);
    });
  });

  describe('the store', () => {
    it('lists the newest runs first and those that run', async () => {
      const { store, other } = await make();
      const keys = ['', '', ''].map(fresh);
      for (const key of keys) {
        await store.begin({ ...facts, ...partsOf(key) }, 'token', says(key, 'begin'));
        await store.append(key, 'token', []);
        const began = Date.now(); // two runs that begin in the same millisecond have no order
        await until(() => Date.now() > began);
      }
      await store.end(keys[1] as OwnedKey, { state: 'finished', totals }, [], { token: 'token' });
      expect((await other.list(2)).map(keyOf)).toEqual([keys[2], keys[1]]);
      expect((await other.running()).map(({ key }) => key).sort()).toEqual([keys[0], keys[2]].sort());
    });

    it('keeps the same id of two owners, and of nobody, apart', async () => {
      const { store, other, broker } = await make();
      const id = `m-${randomUUID()}`;
      const keys = ['', 'alice', 'bob'].map((owner) => ownedKey(owner, id));
      const [nobodys, hers, his] = keys as [OwnedKey, OwnedKey, OwnedKey];
      for (const key of keys)
        expect(await store.begin({ ...facts, ...partsOf(key) }, `token of ${key}`, says(key, key))).toBe(
          'started',
        );
      await expect(store.append(his, `token of ${hers}`, says(his, 'x'))).rejects.toMatchObject({
        code: 'fenced',
      });
      expect(await other.end(hers, { state: 'cancelled', totals }, says(hers, 'end'), 'anybody')).toBe(true);
      expect((await other.running()).map(({ key }) => key).sort()).toEqual([nobodys, his].sort());
      expect(await heard(broker, hers)).toEqual([hers, 'end']);
      expect(await heard(broker, his)).toEqual([his]);
      expect(await heard(broker, nobodys)).toEqual([nobodys]);
      expect(await other.get(hers)).toMatchObject({ owner: 'alice', id, state: 'cancelled' });
      expect(await other.get(nobodys)).toMatchObject({ owner: '', id, state: 'running' });
    });

    it('lists the runs of some owners, and those that are picked out, before it counts', async () => {
      const { store, other } = await make();
      const keys = ['alice', 'bob', '', 'bob', 'alice'].map(fresh);
      for (const key of keys) {
        await store.begin({ ...facts, ...partsOf(key) }, 'token', []);
        const began = Date.now(); // two runs that begin in the same millisecond have no order
        await until(() => Date.now() > began);
      }
      const listed = async (...args: Parameters<RunStore['list']>) => (await other.list(...args)).map(keyOf);
      const [first, second, third, fourth, last] = keys as [OwnedKey, OwnedKey, OwnedKey, OwnedKey, OwnedKey];
      expect(await listed(10)).toEqual([last, fourth, third, second, first]);
      expect(await listed(2)).toEqual([last, fourth]);
      expect(await listed(1, { owners: ['bob'] })).toEqual([fourth]);
      expect(await listed(10, { owners: ['bob', ''] })).toEqual([fourth, third, second]);
      expect(await listed(10, { owners: [] })).toEqual([]);
      expect(await listed(10, { owners: ['carol'] })).toEqual([]);
      expect(await listed(1, { allows: (key) => key === first })).toEqual([first]);
      expect(await listed(2, { owners: ['alice', 'bob'], allows: (key) => key !== last })).toEqual([
        fourth,
        second,
      ]);
    });

    it("keeps an owner's runs in the list, however many another begins", async () => {
      const { store, other } = await make();
      const [hers, his, nobodys] = [fresh('alice'), fresh('bob'), fresh('')];
      for (const key of [hers, his, nobodys]) {
        await store.begin({ ...facts, ...partsOf(key) }, 'token', []);
        await store.end(key, { state: 'finished', totals }, [], 'anybody');
      }
      const flood = Array.from({ length: LISTED_RUNS + 1 }, () => fresh('bob'));
      for (const key of flood) {
        await store.begin({ ...facts, ...partsOf(key) }, 'token', []);
        await store.end(key, { state: 'finished', totals }, [], 'anybody');
      }
      expect((await other.list(10, { owners: ['alice'] })).map(keyOf)).toEqual([hers]);
      expect((await other.list(10, { owners: [''] })).map(keyOf)).toEqual([nobodys]);
      expect((await other.list(10, { allows: (key) => key === hers })).map(keyOf)).toEqual([hers]);
      const bobs = (await other.list(2 * LISTED_RUNS, { owners: ['bob'] })).map(keyOf);
      expect(bobs).toHaveLength(LISTED_RUNS);
      expect(bobs).not.toContain(his);
    });

    it('knows nothing of a run that never was', async () => {
      const { other } = await make();
      expect(await other.get(none)).toBeUndefined();
      expect(await other.end(none, { state: 'lost', totals }, [], 'anybody')).toBe(false);
    });
  });

  describe.each(['', 'alice'])('a conversation of %j', (owner) => {
    const key = ownedKey(owner, 'c1');
    const turn = (of: OwnedKey) =>
      draft({ time: 1, channel: conversationChannel(of), source: 'test', level: 'info', msg: 'turn' });
    const left = async (broker: Broker, ...channels: string[]) => {
      const page = await broker.readPage({ channels, after: BEGINNING, limit: 100 });
      return page.items.flatMap(({ record }) => (record ? [record.channel] : []));
    };

    it('is called as its first run says, until somebody names it', async () => {
      const { store, other } = await make();
      const [first, second] = [fresh(owner), fresh(owner)];
      await store.begin({ ...facts, ...partsOf(first), agent: 'helper', title: 'First' }, 't', []);
      const began = Date.now();
      await until(() => Date.now() > began);
      await store.begin({ ...facts, ...partsOf(second), title: 'Second' }, 't', []);
      await store.end(first, { state: 'finished', totals }, [], 'anybody');
      const record = { owner, id: 'c1', title: 'First', runs: 2, running: [partsOf(second).id] };
      expect(await other.conversations.get(key)).toEqual({ ...record, last: expect.any(Number) });
      expect(await other.conversations.rename(key, 'Mine')).toBe(true);
      expect(await other.conversations.list(owner, 10)).toMatchObject([{ ...record, title: 'Mine' }]);
      expect(await other.conversations.list('bob', 10)).toEqual([]);
      expect(await other.conversations.list(owner, 10, () => false)).toEqual([]);
      expect(await other.conversations.rename(ownedKey(owner, 'c2'), 'x')).toBe(false);
    });

    it('is deleted with its runs and all entries, and nothing else is', async () => {
      const { store, other, broker } = await make();
      const [first, second] = [fresh(owner), fresh(owner)];
      const theirs = ownedKey('bob', partsOf(first).id);
      const apart = fresh(owner);
      for (const run of [first, second, theirs])
        await store.begin({ ...facts, ...partsOf(run), title: 'x' }, 't', says(run, 'begin'));
      await store.begin({ ...facts, ...partsOf(apart), conversationId: 'c2' }, 't', says(apart, 'begin'));
      const bobs = ownedKey('bob', 'c1');
      await store.end(first, { state: 'finished', totals }, [turn(key)], 'anybody');
      await store.end(theirs, { state: 'finished', totals }, [turn(bobs)], 'anybody');
      expect(await other.conversations.delete(key)).toBe('running');
      expect(await heard(broker, first)).toEqual(['begin']);
      await store.end(second, { state: 'failed', totals }, [], 'anybody');
      const before = await broker.head();
      expect(await other.conversations.delete(key)).toBe('deleted');
      expect(await other.conversations.delete(key)).toBe('unknown');
      const kept = [runChannel(theirs), runChannel(apart), conversationChannel(bobs)];
      expect(await left(broker, 'runs:*', 'conversations:*')).toEqual(kept);
      expect(await other.get(first)).toBeUndefined();
      expect((await other.list(10)).map(keyOf).sort()).toEqual([theirs, apart].sort());
      expect((await other.conversations.list(owner, 10)).map(({ id }) => id)).toEqual(['c2']);
      expect(await other.conversations.get(bobs)).toMatchObject({ runs: 1 });
      const { items } = await broker.readPage({ channels: [runChannel(first)], after: BEGINNING, limit: 9 });
      expect(items).toMatchObject([{ gap: { channel: runChannel(first), reason: 'expired' } }]);
      expect(await broker.head()).toBe(before);
      expect(
        await store.begin({ ...facts, ...partsOf(first), title: 'Anew' }, 't2', says(first, 'again')),
      ).toBe('started');
      expect(await heard(broker, first)).toEqual(['again']);
      expect(await other.conversations.get(key)).toMatchObject({ title: 'Anew', runs: 1 });
    });
  });

  const until = async (done: () => boolean) => {
    while (!done()) await new Promise((resolve) => setImmediate(resolve));
  };
}
