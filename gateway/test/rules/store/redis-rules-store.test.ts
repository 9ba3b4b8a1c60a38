import { RedisClient } from '@llm-streamer/shared/broker/redis/client.ts';
import { RedisKeys } from '@llm-streamer/shared/broker/redis/keys.ts';
import { RedisBroker } from '@llm-streamer/shared/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { RedisRulesStore } from '../../../src/rules/store/redis-rules-store.ts';
import { firing, state, stepOf, testRulesStore, textsOf } from './rules-store-conformance.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const make = (retention = DEFAULT_RETENTION) => {
  const namespace = randomNamespace();
  const storeOf = () =>
    new RedisRulesStore(new RedisClient(redis.url, 'rules', undefined), new RedisKeys(namespace), retention);
  const made = {
    store: storeOf(),
    other: storeOf(),
    broker: new RedisBroker({ url: redis.url, namespace, retention }),
  };
  open.push(made.store, made.other, made.broker);
  return { ...made, namespace };
};

testRulesStore(async () => make());

it('one gateway of several leads, until it resigns or its lease ends', async () => {
  const { store, other } = make();
  expect(await store.lead('one')).toBeDefined();
  expect(await other.lead('two')).toBeUndefined();
  await store.resign('one');
  expect(await other.lead('two')).toBeDefined();
  expect(await eventually('the lease ends', () => store.lead('one'))).toBeDefined();
});

it('a gateway that leads no more stores nothing, even if nobody else leads', async () => {
  const { store, other, broker } = make();
  await store.lead('one');
  await store.resign('one');
  const step = stepOf(1, { drafts: [line('events:a', 'late')] });
  await expect(store.commit('one', step)).rejects.toMatchObject({ code: 'fenced' });
  await other.lead('two');
  await expect(store.commit('one', step)).rejects.toMatchObject({ code: 'fenced' });
  await expect(store.delivered('one', 'ops', 1)).rejects.toMatchObject({ code: 'fenced' });
  await other.commit('two', step);
  await expect(other.commit('two', stepOf(3))).rejects.toMatchObject({ code: 'fenced' });
  expect(await textsOf(broker, 'events:a')).toEqual(['late']);
});

it('a step whose entries the log refuses leaves nothing behind', async () => {
  const { store } = make({ ...DEFAULT_RETENTION, maxChannels: 0 });
  await store.lead('one');
  const step = stepOf(1, {
    drafts: [line('events:a', 'x')],
    states: new Map([['r', JSON.stringify(state)]]),
  });
  await expect(store.commit('one', step)).rejects.toMatchObject({ code: 'too_many_channels' });
  expect(await store.states()).toEqual([]);
  expect(await store.lead('one')).toMatchObject({ seq: 0 });
});

it('what another program has written to the keys is no alert, and ends nothing', async () => {
  const { store, namespace } = make();
  await store.lead('one');
  const client = new RedisClient(redis.url, 'test', undefined);
  await client.runId(10_000);
  const hash = (name: string) =>
    client.redis.hset(`{${namespace}}:rules:${name}`, 'x', '{"rule":1}', 'y', 'no JSON');
  await hash('states');
  await hash('firing');
  await store.commit('one', stepOf(1, { firing: new Map([['r', JSON.stringify(firing)]]) }));
  expect([await store.states(), await store.firing()]).toEqual([[], [firing]]);
  await client.redis.set(`{${namespace}}:rules:out:ops`, 'a text');
  const step = stepOf(2, { messages: [{ destination: 'ops', message: 'm' }] });
  await expect(store.commit('one', step)).rejects.toMatchObject({ code: 'channel_unusable' });
  client.close();
});

it('the time in which nobody leads is a pause, if it is long', async () => {
  const { store, namespace } = make();
  const first = await store.lead('one');
  const client = new RedisClient(redis.url, 'test', undefined);
  await client.runId(10_000);
  await client.redis.hset(`{${namespace}}:rules`, 'renewed', `${(first?.now ?? 0) - 9_000}`);
  expect((await store.lead('one'))?.watched).toBe(first?.watched);
  await client.redis.hset(`{${namespace}}:rules`, 'renewed', `${(first?.now ?? 0) - 60_000}`, 'watched', '1');
  expect((await store.lead('one'))?.watched).toBeGreaterThanOrEqual(first?.now ?? 0);
  client.close();
});
