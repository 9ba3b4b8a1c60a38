// The adopter of foreign messages reports in the log what it may have missed. No other process could know it.

import { describe, expect, it } from 'vitest';
import { randomNamespace } from '../../../../../test-support/redis.ts';
import { readPages } from '../../../../src/broker/read-pages.ts';
import { loadScript } from '../../../../src/broker/redis/client.ts';
import { RedisKeys } from '../../../../src/broker/redis/keys.ts';
import type { RedisBroker } from '../../../../src/broker/redis/redis-broker.ts';
import { DEFAULT_RETENTION } from '../../../../src/broker/retention.ts';
import { Ear, line } from '../../conformance.ts';
import { redisStage } from '../redis-stage.ts';

const stage = redisStage();

const adopting = async (namespace: string, retention = DEFAULT_RETENTION): Promise<RedisBroker> => {
  const broker = await stage.broker({ namespace, retention, adopt: ['logs*'] });
  await broker.subscribe(['logs:a'], new Ear());
  await expect
    .poll(async () => {
      await stage.redis.publish(`{${namespace}}:logs:a`, 'anybody there?');
      return broker.status().adopted;
    })
    .toBeGreaterThan(0);
  return broker;
};

const notices = async (broker: RedisBroker): Promise<string[]> => {
  const { items } = await broker.readPage({ channels: ['logs:gateway'], after: 0, limit: 100 });
  return items.map(({ record }) => record?.entry.msg ?? 'a gap');
};

describe('RedisAdopter', () => {
  it('says what may be missing when its subscription was cut, and its lease was not', async () => {
    const namespace = randomNamespace();
    const broker = await adopting(namespace);
    expect(await notices(broker)).toEqual([]);
    const lease = await stage.redis.get(`{${namespace}}:adopter`);
    await stage.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await stage.redis.publish(`{${namespace}}:logs:a`, 'nobody hears this');
    await expect.poll(() => notices(broker), { timeout: 5_000 }).toHaveLength(1);
    expect((await notices(broker))[0]).toMatch(/^plain PUBLISHes since .* may be missing/);
    expect(await stage.redis.get(`{${namespace}}:adopter`)).toBe(lease);
  });

  it('says what may be missing when the log was wiped, and its lease with it', async () => {
    const namespace = randomNamespace();
    const broker = await adopting(namespace);
    const wiped = await stage.redis.keys(`{${namespace}}:*`);
    await stage.redis.del(...wiped);
    await stage.redis.publish(`{${namespace}}:logs:a`, 'refused');
    await expect
      .poll(() => notices(broker), { timeout: 5_000 })
      .toContainEqual(
        expect.stringMatching(/^plain PUBLISHes since .* may be missing: the adopter's lease was lost/),
      );
  });

  it('loses no message of others to those for whose channels there is no place, and says how many these were', async () => {
    const namespace = randomNamespace();
    const retention = { ...DEFAULT_RETENTION, maxChannels: 20 };
    const broker = await adopting(namespace, retention);
    const sent: Promise<unknown>[] = [];
    for (let i = 0; i < 100; i++) {
      sent.push(stage.redis.publish(`{${namespace}}:logs:evil${i}`, 'x'));
      sent.push(stage.redis.publish(`{${namespace}}:logs:a`, `${i}`));
    }
    await Promise.all(sent);
    await expect.poll(() => notices(broker), { timeout: 5_000 }).not.toEqual([]);
    expect((await notices(broker))[0]).toMatch(/^\d+ messages on new channels dropped: .*MAX_CHANNELS/);
    const { items } = await broker.readPage({ channels: ['logs:a'], after: 0, limit: 1_000 });
    const kept = items.map(({ record }) => record?.entry.msg).filter((msg) => /^\d+$/.test(msg ?? ''));
    expect(kept).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    // They took 16 of 20 places, and the notice one: whoever else may write still has one, and the gateway those for its runs.
    const write = (channel: string) => broker.publish([line(channel, 'x')]);
    await write('logs:new');
    await expect(write('logs:newer')).rejects.toMatchObject({ code: 'too_many_channels' });
    await write('runs:new');
  });

  it('hands its lease over without losing a plain PUBLISH or showing one twice', async () => {
    const namespace = randomNamespace();
    const leaving = await adopting(namespace);
    const ears = [new Ear(), new Ear()];
    for (const ear of ears) {
      const broker = await stage.broker({ namespace, adopt: ['logs*'] });
      await broker.subscribe(['logs:b', 'logs:b*'], ear);
    }
    let published = 0;
    const publish = () => stage.redis.publish(`{${namespace}}:logs:b`, `${published++}`);
    let left = false;
    const closing = leaving.close().then(() => {
      left = true;
    });
    while (!left) await Promise.all([publish(), publish()]);
    await closing;
    for (let i = 0; i < 20; i++) await publish();
    await expect.poll(() => stage.redis.get(`{${namespace}}:adopter`), { timeout: 5_000 }).not.toBeNull();
    await publish();
    for (const ear of ears) {
      await expect.poll(() => ear.msgs, { timeout: 5_000 }).toContain(`${published - 1}`);
      const ticks = ear.positions.length;
      await ear.heard(({ positions }) => positions.length >= ticks + 2);
      const shown = ear.msgs.map(Number).sort((a, b) => a - b);
      expect(shown).toEqual(Array.from({ length: published }, (_, i) => i));
    }
    // Messages that came while there was no lease are stored as well, for viewers that come later.
    const reader = await stage.broker({ namespace });
    const stored: number[] = [];
    for await (const { items } of readPages(reader, { channels: ['logs:b'], after: 0, limit: 1_000 }))
      stored.push(...items.map(({ record }) => Number(record?.entry.msg)));
    expect(stored.sort((a, b) => a - b)).toEqual(Array.from({ length: published }, (_, i) => i));
  });

  it('learns when the last adopter was there, also when the reply to its first tick was lost', async () => {
    const namespace = randomNamespace();
    const client = await stage.client();
    const tick = (instance: string) =>
      client.runScript(loadScript('tick', 'allow-oom'), new RedisKeys(namespace), [
        'tick',
        instance,
        3_000,
        1,
        '',
        0,
      ]);
    await tick('one');
    const held = await stage.redis.hget(`{${namespace}}:log`, 'leased');
    await stage.redis.del(`{${namespace}}:adopter`);
    await tick('two'); // taken, and the reply lost
    const [holder, vacated] = (await tick('two')) as string[];
    expect([holder, vacated]).toEqual(['two:2', held]);
  });
});
