import { randomUUID } from 'node:crypto';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { draft, type Entry } from '@llm-streamer/shared/entry.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { newRun, reduceRun } from '@llm-streamer/shared/run.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RedisServer, randomNamespace, startRedis } from '../../../test-support/redis.ts';
import { readHistory } from '../../src/runs/run-reader.ts';
import type { RunStore } from '../../src/runs/store/run-store.ts';
import { PATIENCE_MS } from '../llm/collect.ts';
import {
  type Gateway,
  type GatewayOptions,
  memoryLog,
  openGateway,
  readRun,
  redisLog,
} from './service-harness.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const open: Gateway[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((gateway) => gateway.close()));
});

/** Two gateways on one Redis; with a log in memory, both are the same gateway. */
const kinds = [
  {
    kind: 'in memory',
    make: async (options?: GatewayOptions) => {
      const gateway = await openGateway('gw-a', memoryLog(), options);
      open.push(gateway);
      return [gateway, gateway] as const;
    },
  },
  {
    kind: 'on two gateways with Redis',
    make: async (options?: GatewayOptions) => {
      const namespace = randomNamespace();
      const [a, b] = await Promise.all([
        openGateway('gw-a', redisLog(redis.url, namespace), options),
        openGateway('gw-b', redisLog(redis.url, namespace), options),
      ]);
      open.push(a, b);
      return [a, b] as const;
    },
  },
];

const id = () => ownedKey('', `m-${randomUUID()}`);
const ends = (entries: Entry[]) => entries.filter(({ event }) => /^run\.(?!started)/.test(event ?? ''));
const all = async (gateway: Gateway, run: string) => {
  const entries: Entry[] = [];
  const upTo = await gateway.broker.head();
  for await (const { record } of readHistory(gateway.broker, `runs:${run}`, BEGINNING, upTo))
    if (record) entries.push(record.entry);
  return entries;
};

describe.each(kinds)('runs $kind', ({ make }) => {
  it('can be watched to the end from any gateway', async () => {
    const [a, b] = await make();
    const run = id();
    const record = await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    expect(record).toMatchObject({ id: run, gateway: 'gw-a', state: 'running' });
    const { entries, gaps } = await readRun(b.broker, run);
    expect(gaps).toEqual([]);
    const view = entries.reduce(reduceRun, newRun(run));
    expect(view.state).toBe('finished');
    expect(await b.history.run(run)).toEqual({ ...view, calls: [] });
    expect(await b.service.get(run)).toMatchObject({ state: 'finished', promptVersion: view.promptVersion });
    expect((await b.service.get(run))?.totals.outputTokens).toBeGreaterThan(50);
  });

  it('are the same whether read at once or in pieces', async () => {
    const [a, b] = await make();
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    const whole = readRun(a.broker, run);
    const pieces: Entry[] = [];
    let at = BEGINNING;
    while (ends(pieces).length === 0) {
      const piece = await readRun(
        pieces.length % 2 ? a.broker : b.broker,
        run,
        at,
        ({ length }) => length >= 3,
      );
      pieces.push(...piece.entries);
      at = piece.at;
    }
    expect(pieces).toEqual((await whole).entries);
  });

  it('begin once, however often and wherever they are asked for', async () => {
    const [a, b] = await make();
    const request = { owner: '', id: id(), message: 'Explain tides' };
    const asked = await Promise.all([a, b, a, b].map(({ service }) => service.start(request)));
    expect(new Set(asked.map(({ started }) => started)).size).toBe(1);
    await readRun(a.broker, request.id);
    expect(a.simulator.calls.length + (b === a ? 0 : b.simulator.calls.length)).toBe(3);
    const started = (await all(a, request.id)).filter(({ event }) => event === 'run.started');
    expect(started).toHaveLength(1);
    expect((await b.service.start(request)).state).toBe('finished');
  });

  it('refuse another request under the same id', async () => {
    const [a, b] = await make();
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    const refusal = { code: 'message_id_reused', field: 'message_id' };
    await expect(b.service.start({ owner: '', id: run, message: 'Explain rain' })).rejects.toMatchObject(
      refusal,
    );
    await expect(
      b.service.start({ owner: '', id: run, message: 'Explain tides', conversationId: 'c' }),
    ).rejects.toMatchObject(refusal);
  });

  it('stop their calls when they are cancelled from any gateway', async () => {
    const [a, b] = await make({ model: 'sim-stall' });
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    await readRun(b.broker, run, BEGINNING, (entries) =>
      entries.some(({ event }) => event === 'generation.delta'),
    );
    expect(await b.service.cancel(run)).toMatchObject({ state: 'cancelled', code: 'cancelled' });
    await vi.waitFor(
      () => expect(a.simulator.calls.map(({ state }) => state)).toEqual(['aborted', 'aborted']),
      PATIENCE_MS,
    );
    const { entries } = await readRun(b.broker, run);
    expect(entries.at(-1)).toMatchObject({ event: 'run.cancelled', attrs: { 'error.type': 'cancelled' } });
    expect(ends(await all(a, run))).toHaveLength(1);
    expect(await b.service.cancel(run)).toMatchObject({ state: 'cancelled' });
    expect(await b.service.cancel(ownedKey('', 'm-none'))).toBeUndefined();
  });

  it('of owners stop their calls when they are cancelled from any gateway, and only those of that owner', async () => {
    // No sign of life comes within the test, so that it is the entry on the owner's channel that stops the calls.
    const [a, b] = await make({ model: 'sim-stall', leaseMs: 600_000 });
    const shared = `m-${randomUUID()}`;
    const [hers, his] = [ownedKey('alice', shared), ownedKey('bob', shared)];
    await a.service.start({ owner: 'alice', id: shared, message: 'Explain tides' });
    await a.service.start({ owner: 'bob', id: shared, message: 'Explain tides' });
    const streaming = (entries: Entry[]) => entries.some(({ event }) => event === 'generation.delta');
    await Promise.all([hers, his].map((key) => readRun(b.broker, key, BEGINNING, streaming)));
    expect(await b.service.cancel(hers)).toMatchObject({ owner: 'alice', state: 'cancelled' });
    await vi.waitFor(() => expect(a.service.active).toBe(1), PATIENCE_MS);
    expect(a.simulator.calls.filter(({ state }) => state === 'aborted')).toHaveLength(2);
    expect(await b.service.get(his)).toMatchObject({ owner: 'bob', state: 'running' });
    await b.service.cancel(his);
    await vi.waitFor(() => expect(a.service.active).toBe(0), PATIENCE_MS);
  });

  it('tell what they have used when they are cancelled, as an estimate', async () => {
    const [a, b] = await make({ model: 'sim-stall' });
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    await readRun(b.broker, run, BEGINNING, (entries) =>
      ['llm-1', 'llm-2'].every((lane) =>
        entries.some(({ event, attrs }) => event === 'generation.delta' && attrs?.lane === lane),
      ),
    );
    const totals = (await b.service.cancel(run))?.totals;
    expect(totals?.estimated).toBe(true);
    expect(totals?.inputTokens).toBeGreaterThan(20);
    expect(totals?.outputTokens).toBeGreaterThan(1);
    expect((await readRun(b.broker, run)).entries.at(-1)?.attrs).toMatchObject({
      input_tokens: totals?.inputTokens,
      output_tokens: totals?.outputTokens,
      estimated: true,
    });
  });

  it('stop their calls at once when they are cancelled, also while the models are silent', async () => {
    const [a, b] = await make({ model: 'sim-hang-headers' });
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    await vi.waitFor(() => expect(a.simulator.calls).toHaveLength(2), PATIENCE_MS);
    await b.service.cancel(run);
    await vi.waitFor(
      () => expect(a.simulator.calls.map(({ state }) => state)).toEqual(['aborted', 'aborted']),
      PATIENCE_MS,
    );
  });

  it('stop their calls with the next sign of life when they have ended unheard', async () => {
    const [a, b] = await make({ model: 'sim-hang-headers', leaseMs: 400 });
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    await vi.waitFor(() => expect(a.simulator.calls).toHaveLength(2), PATIENCE_MS);
    const totals = { inputTokens: 0, outputTokens: 0, durationMs: 0 };
    await b.store.end(run, { state: 'cancelled', totals }, [], 'anybody');
    await vi.waitFor(
      () => expect(a.simulator.calls.map(({ state }) => state)).toEqual(['aborted', 'aborted']),
      PATIENCE_MS,
    );
  });

  it('are not stopped by an entry that falsely says that they have ended', async () => {
    const [a] = await make();
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    const lie = {
      time: 1,
      channel: 'events:runs',
      source: 'x',
      level: 'info',
      msg: '',
      event: 'run.cancelled',
      run,
    };
    await a.broker.publish([draft(lie as Parameters<typeof draft>[0])]);
    expect((await readRun(a.broker, run)).entries.at(-1)?.event).toBe('run.finished');
  });

  it('carry a conversation on', async () => {
    const [a, b] = await make();
    const conversationId = id();
    const first = id();
    await a.service.start({ owner: '', id: first, message: 'What is rust?', conversationId });
    await readRun(a.broker, first);
    const second = id();
    await b.service.start({ owner: '', id: second, message: 'What is copper?', conversationId });
    await readRun(b.broker, second);
    expect((await b.history.run(second)).lanes[0]?.text).toContain('Coming from rust');
    const { turns } = await a.history.conversation(conversationId);
    expect(turns.map(({ role, run }) => [role, run])).toEqual([
      ['user', first],
      ['assistant', first],
      ['user', second],
      ['assistant', second],
    ]);
    expect(turns[0]?.text).toBe('What is rust?');
  });

  it('are listed, the newest first', async () => {
    const [a, b] = await make();
    const [one, two] = [id(), id()];
    await a.service.start({ owner: '', id: one, message: 'Explain tides' });
    await readRun(a.broker, one);
    await a.service.start({ owner: '', id: two, message: 'Explain tides' });
    await readRun(a.broker, two);
    expect((await b.service.list(10)).map((record) => record.id)).toEqual([two, one]);
  });

  it('end when their gateway is stopped', async () => {
    const [a, b] = await make({ model: 'sim-stall' });
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    await a.service.close();
    expect(a.service.active).toBe(0);
    expect(await b.store.get(run)).toMatchObject({ state: 'failed', code: 'gateway_stopped' });
  });
});

describe('a run whose gateway is gone', () => {
  it('is declared lost once, by the gateway that notices it first', async () => {
    const namespace = randomNamespace();
    const watchers = await Promise.all(
      ['gw-a', 'gw-b', 'gw-c'].map((name) =>
        openGateway(name, redisLog(redis.url, namespace), { leaseMs: 400 }),
      ),
    );
    open.push(...watchers);
    const [a] = watchers as [Gateway];
    const run = id();
    const facts = { owner: '', id: run, fingerprint: 'f', gateway: 'gw-gone', promptVersion: 'v', lanes: [] };
    await a.store.begin(facts, 'token', []);
    const { entries } = await readRun(a.broker, run);
    expect(entries).toMatchObject([{ event: 'run.lost', attrs: { 'error.type': 'run_lost' } }]);
    await expect(a.store.append(run, 'token', [])).rejects.toMatchObject({ code: 'fenced' });
    await a.store.running();
    expect(ends(await all(a, run))).toHaveLength(1);
  });
});

describe('a run that is cancelled while it writes', () => {
  it.each([
    ['memory', memoryLog],
    ['Redis', () => redisLog(redis.url, randomNamespace())],
  ])('names the call that has just left as one whose effect nobody knows: %s', async (_, log) => {
    const { broker, store } = log();
    const run = id();
    const called = draft({
      time: 1,
      channel: `runs:${run}`,
      source: 'gw-b',
      level: 'info',
      msg: 'x',
      event: 'tool.called',
      run,
      attrs: { role: 'agent', 'gen_ai.tool.name': 't', 'gen_ai.tool.call.id': 'call-1' },
    });
    let ends = 0;
    /** The real store, to which the run's gateway writes between the cancelling gateway's read and its end. */
    const racing = new Proxy<RunStore>(store, {
      get:
        (target, name: keyof RunStore) =>
        async (...args: never[]) => {
          if (name === 'end' && ends++ === 0) await target.append(run, 'token', [called]);
          return Reflect.apply(target[name], target, args);
        },
    });
    const gateway = await openGateway('gw-a', { broker, store: racing });
    open.push(gateway);
    const facts = { owner: '', id: run, fingerprint: 'f', gateway: 'gw-b', promptVersion: 'v', lanes: [] };
    await store.begin(facts, 'token', []);
    expect(await gateway.service.cancel(run)).toMatchObject({ state: 'cancelled' });
    const entries = await all(gateway, run);
    expect(entries.map(({ event }) => event)).toEqual(['tool.called', 'run.cancelled']);
    expect(entries.at(-1)?.attrs).toMatchObject({ unverified: ['call-1'] });
  });
});

describe('a run whose gateway does not get a reply of Redis', () => {
  /** The real store, whose first reply to each of these steps is lost. */
  const losing = (store: RunStore): RunStore => {
    const lost = new Set<string | symbol>();
    return new Proxy(store, {
      get:
        (target, name: keyof RunStore) =>
        async (...args: never[]) => {
          const reply: unknown = await Reflect.apply(target[name], target, args);
          if ((name !== 'begin' && name !== 'end') || lost.has(name)) return reply;
          lost.add(name);
          throw new BrokerUnavailable('the reply is lost');
        },
    });
  };

  it('begins once, is done, and its end is counted', async () => {
    const ended: string[] = [];
    const { broker, store } = redisLog(redis.url, randomNamespace());
    const options = { onEnded: (state: string) => ended.push(state) };
    const gateway = await openGateway('gw-a', { broker, store: losing(store) }, options);
    open.push(gateway);
    const run = id();
    const record = await gateway.service.start({ owner: '', id: run, message: 'Explain tides' });
    expect(record).toMatchObject({ id: run, state: 'running' });
    await readRun(broker, run);
    await expect.poll(() => gateway.service.active).toBe(0);
    expect(ended).toEqual(['finished']);
    const entries = await all(gateway, run);
    expect(entries.filter(({ event }) => event === 'run.started')).toHaveLength(1);
    expect(ends(entries).map(({ event }) => event)).toEqual(['run.finished']);
  });
});

describe('a program that can publish to Redis', () => {
  it('cannot put a word into a run', async () => {
    const namespace = randomNamespace();
    const a = await openGateway('gw-a', redisLog(redis.url, namespace), { tokenMs: 10 });
    open.push(a);
    const client = new RedisClient(redis.url, 'stranger', undefined);
    await client.runId();
    const run = id();
    await a.service.start({ owner: '', id: run, message: 'Explain tides' });
    const reading = readRun(a.broker, run);
    const { entries: some } = await readRun(a.broker, run, BEGINNING, ({ length }) => length > 5);
    const forged = { ...some[4], msg: 'FORGED', event: 'run.finished' };
    const [ms, n] = (some[4]?.id ?? '').split('-').map(Number) as [number, number];
    const head = { id: `${ms + 1}-${n + 1_000}`, log: some[4]?.log, prev: n };
    for (const message of ['FORGED', JSON.stringify(forged), JSON.stringify({ ...forged, id: undefined })])
      await client.redis.publish(`{${namespace}}:runs:${run}`, message);
    await client.redis.publish(`{${namespace}}:runs:${run}`, JSON.stringify({ ...head, ...forged, ...head }));
    client.close();
    const { entries, gaps } = await reading;
    expect(gaps).toEqual([]);
    expect(JSON.stringify(entries)).not.toContain('FORGED');
    expect(entries.at(-1)?.event).toBe('run.finished');
    expect(entries).toEqual(await all(a, run));
  });
});

describe('while Redis is paused', () => {
  it('no run ends, and afterwards they go on without a gap', async () => {
    const own = await startRedis();
    const namespace = randomNamespace();
    const options = { leaseMs: 400, tokenMs: 15 };
    const gateways = await Promise.all(
      ['gw-a', 'gw-b'].map((name) => openGateway(name, redisLog(own.url, namespace), options)),
    );
    const [a, b] = gateways as [Gateway, Gateway];
    try {
      const run = id();
      await a.service.start({ owner: '', id: run, message: 'Explain tides' });
      const reading = readRun(b.broker, run);
      await readRun(a.broker, run, BEGINNING, (entries) =>
        entries.some(({ event }) => event === 'generation.delta'),
      );
      own.pause();
      await new Promise((resolve) => setTimeout(resolve, 2_000)); // five leases: the test is about the pause
      own.resume();
      const { entries, gaps } = await reading;
      expect(gaps).toEqual([]);
      expect(entries.at(-1)?.event).toBe('run.finished');
      const view = entries.reduce(reduceRun, newRun(run));
      expect(view.lanes.map(({ state }) => state)).toEqual(['finished', 'finished', 'finished']);
      expect(view.lanes[0]?.text).toMatch(/^Picture tides/);
    } finally {
      await Promise.all(gateways.map((gateway) => gateway.close()));
      await own.stop();
    }
  });
});
