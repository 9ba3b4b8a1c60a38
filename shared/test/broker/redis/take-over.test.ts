// A log that a version before wrote, whose entries were announced on plain names: it goes on as it is, and processes of that
// version, which nobody would hear any more, are refused.

import { expect, it } from 'vitest';
import { randomNamespace } from '../../../../test-support/redis.ts';
import { Ear, line } from '../conformance.ts';
import { redisStage } from './redis-stage.ts';

const stage = redisStage();

it('goes on with all entries, positions and the chain of prev', async () => {
  const namespace = randomNamespace();
  const before = await stage.broker({ namespace });
  const ids = await before.publish([line('a', '1'), line('b', '2'), line('a', '3')]);
  await before.close();
  // What the version before had instead.
  await stage.redis.rename(`{${namespace}}:newest`, `{${namespace}}:last`);
  await stage.redis.hdel(`{${namespace}}:log`, 'form');
  const broker = await stage.broker({ namespace });
  const ear = new Ear();
  await broker.subscribe(['*'], ear);
  ids.push(...(await broker.publish([line('a', '4')])));
  await ear.heard(({ msgs }) => msgs.includes('4'));
  const { items } = await broker.readPage({ channels: ['*'], after: 0, limit: 10 });
  const records = items.flatMap(({ record }) => record ?? []);
  expect(records.map(({ id }) => id)).toEqual(ids);
  expect(records.at(-1)?.prev).toBe(records.at(-2)?.n);
  expect(ear.gaps).toEqual([]);
  expect((await broker.channels('*')).map(({ channel }) => channel).sort()).toEqual(['a', 'b']);
});

it.each(['a new log', 'one that was taken over'])('refuses writers of that version: %s', async (kind) => {
  const namespace = randomNamespace();
  if (kind !== 'a new log') {
    // As such a writer leaves a log that it creates.
    await stage.redis.hset(`{${namespace}}:log`, { token: 'abcdefgh', start: 1, n: 2, run: 'x' });
    await stage.redis.zadd(`{${namespace}}:last`, 2, 'a');
  }
  const broker = await stage.broker({ namespace });
  await broker.publish([line('a', '1')]);
  // Their scripts ask this before they write anything.
  await expect(stage.redis.zmscore(`{${namespace}}:last`, 'a')).rejects.toThrow(/WRONGTYPE/);
  expect(await stage.redis.get(`{${namespace}}:last`)).toMatch(/update the program/);
});
