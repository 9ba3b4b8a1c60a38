// The position of a time where positions are ahead of the clock: the example of times-ahead.ts, and ten failovers of a real server.

import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test-support/process.ts';
import { type RedisServer, randomNamespace, startRedis } from '../../../../test-support/redis.ts';
import { positionAt } from '../../../src/broker/position.ts';
import { RedisClient } from '../../../src/broker/redis/client.ts';
import { RedisHistory } from '../../../src/broker/redis/history.ts';
import { RedisKeys } from '../../../src/broker/redis/keys.ts';
import { RedisBroker } from '../../../src/broker/redis/redis-broker.ts';
import { headAhead, NOTE_EVERY_MS } from '../../../src/broker/redis/times-ahead.ts';
import { line } from '../conformance.ts';

const FAILOVERS = 10;

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of open.splice(0).reverse()) await part.close();
});

it('the script that writes notes of the time has the interval that their readers assume', async () => {
  const script = await readFile(new URL('../../../src/broker/redis/lua/log.lua', import.meta.url), 'utf8');
  expect(/^local NOTE_EVERY = (\d+)$/m.exec(script)?.[1]).toBe(`${NOTE_EVERY_MS}`);
});

describe('headAhead', () => {
  const at = (seconds: number) => positionAt(1_795_300_000_000 + 1_000 * seconds);
  const ms = (seconds: number) => 1_795_300_000_000 + 1_000 * seconds;
  const note = (seconds: number, position: number) => `${ms(seconds)}:${position}`;
  const notes = [
    note(100, at(40)),
    note(100, at(160)),
    note(104, at(161)),
    note(300, at(250)),
    note(300, at(360)),
  ];

  it.each([
    ['is not asked before the leap', 99, undefined],
    ['is where a note says', 100.2, at(160)],
    ['is that of the next note, as nothing came in between', 102, at(161)],
    ['is at least that of the last note before the clock has caught up', 110, at(161)],
    ['is not asked once the clock has caught up', 170, undefined],
    ['is where the second leap ends', 301, at(360)],
  ])('%s', (_, seconds, expected) => {
    expect(headAhead(notes, ms(seconds))).toBe(expected);
  });
});

it('who asks for a time after the minute of the last failover reads one note, however many there are', async () => {
  const server = await startRedis();
  const client = new RedisClient(server.url, 'test', undefined);
  open.push({ close: () => server.stop() }, client);
  const keys = new RedisKeys(randomNamespace());
  const history = new RedisHistory(client, keys);
  const failover = Date.now() - 120_000;
  await client.runId(10_000);
  await client.redis.rpush(keys.ahead, `${failover}:${positionAt(failover + 60_000)}`);
  expect(await history.headAhead(Date.now())).toBe(undefined);
  expect(await client.redis.info('commandstats')).not.toContain('cmdstat_lrange:');
  expect(await history.headAhead(failover + 1_000)).toBe(positionAt(failover + 60_000));
}, 30_000);

it('ten failovers in a row: what came since a time is all that is asked for, and nothing that is a second older', async () => {
  const server: RedisServer = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  open.push({ close: () => server.stop() });
  const log = new RedisBroker({ url: server.url, namespace: randomNamespace() });
  open.push(log);
  await log.open(10_000);
  /** When each was asked for, and when it was there at the latest. */
  const written: { asked: number; there: number }[] = [];
  const write = async () => {
    const asked = Date.now();
    await eventually('it is written on', () =>
      log.publish([line('a', `${written.length}`)]).then(
        () => true,
        () => false,
      ),
    );
    written.push({ asked, there: Date.now() });
  };
  for (let i = 0; i < FAILOVERS; i++) {
    await write();
    await setTimeout(600); // the claim is about time, and half a second is what the log tells apart
    await write();
    await server.kill();
    await server.restart();
  }
  await write();
  for (const [i, { asked }] of written.entries()) {
    const { items } = await log.readPage({
      channels: ['a'],
      after: await log.positionAtTime(asked),
      limit: 100,
    });
    const got = items.flatMap(({ record }) => (record ? [Number(record.entry.msg)] : []));
    const first = got[0] ?? Number.POSITIVE_INFINITY;
    expect(got).toEqual([...written.keys()].slice(Math.min(first, i)));
    for (const older of written.slice(first, i)) expect(asked - older.there).toBeLessThan(1_000);
  }
}, 120_000);
