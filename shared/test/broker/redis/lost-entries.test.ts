// Entries that the log has lost before their readers saw them: whoever reads past the place is told once somebody who knows of them has
// come by, and nobody is told of a loss that was none. The log goes back as a failover makes it: to a copy, under another process.

import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { randomNamespace } from '../../../../test-support/redis.ts';
import { copyOf } from '../../../../test-support/redis-copy.ts';
import type { PageItem } from '../../../src/broker/broker.ts';
import { parsePosition } from '../../../src/broker/position.ts';
import { readPages } from '../../../src/broker/read-pages.ts';
import { RedisAppend } from '../../../src/broker/redis/append.ts';
import { loadScript, noteStored, RedisClient } from '../../../src/broker/redis/client.ts';
import { RedisHistory } from '../../../src/broker/redis/history.ts';
import { RedisKeys } from '../../../src/broker/redis/keys.ts';
import { DEFAULT_RETENTION } from '../../../src/broker/retention.ts';
import { Ear, line } from '../conformance.ts';
import { redisStage } from './redis-stage.ts';

const stage = redisStage();
const open: { close(): void }[] = [];
afterEach(() => {
  for (const part of open.splice(0)) part.close();
});

const TICK = loadScript('tick', 'allow-oom');

/** A process that writes to the log of `namespace`, and can tick as a gateway does. What it has seen is its own. */
async function processOf(namespace: string, url = stage.server.url) {
  const client = new RedisClient(url, 'test', undefined);
  open.push(client);
  await client.runId(10_000);
  const keys = new RedisKeys(namespace);
  const append = new RedisAppend(client, keys, DEFAULT_RETENTION);
  return {
    history: new RedisHistory(client, keys),
    write: async (msg: string) => {
      const [id] = await append.appendBatch([line(`c:${Number(msg) % 3}`, msg)]);
      return parsePosition(id ?? '') ?? 0;
    },
    tick: async () => {
      const reply = await client.runScript(TICK, keys, [keys.tick('test'), '', 3_000, 1, '', 0]);
      const [, , , , newest, token] = reply as string[];
      noteStored(client.seen, Number(newest), token ?? '');
    },
  };
}

/** Reads to the end of the log, and resumes by the id of the last item after each `cut` items, as a client does. */
async function readOn(history: RedisHistory, after: number, limit: number, cut: number): Promise<PageItem[]> {
  const all: PageItem[] = [];
  for (let cursor = after; ; ) {
    const items: PageItem[] = [];
    reading: for await (const page of readPages(history, { channels: ['*'], after: cursor, limit }))
      for (const item of page.items) {
        items.push(item);
        if (items.length === cut) break reading;
      }
    all.push(...items);
    if (items.length < cut) return all;
    for (const { record, gap } of items) cursor = record?.n ?? (gap as { before: number }).before - 1;
  }
}

/** A round writes, and may copy the log and go back to that. Then everybody comes, in some order. */
const round = fc.record({
  before: fc.array(fc.nat(1), { maxLength: 3 }),
  lost: fc.array(fc.nat(1), { maxLength: 3 }),
  ticksBeforeLoss: fc.boolean(),
  goesBack: fc.boolean(),
  comers: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
});

describe('a reader who has seen none of the lost entries', () => {
  it('is told of each, whoever comes first after the loss, and of nothing else', async () => {
    const cases = fc.record({
      rounds: fc.array(round, { minLength: 1, maxLength: 4 }),
      limit: fc.integer({ min: 1, max: 5 }),
      cut: fc.integer({ min: 1, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ rounds, limit, cut }) => {
        const namespace = randomNamespace();
        const processes = await Promise.all([0, 1, 2].map(() => processOf(namespace)));
        const [one, two, gateway] = processes as [
          (typeof processes)[0],
          (typeof processes)[0],
          (typeof processes)[0],
        ];
        const written: { n: number; at: number; isLost: boolean }[] = [];
        const cursors: { after: number; at: number }[] = [];
        const look = async () => {
          cursors.push({ after: (await gateway.history.state()).head, at: written.length });
        };
        const write = async (who: number, isLost: boolean) => {
          const n = await [one, two][who]?.write(`${written.length}`);
          written.push({ n: n ?? 0, at: written.length, isLost });
        };
        await write(0, false);
        for (const { before, lost, ticksBeforeLoss, goesBack, comers } of rounds) {
          await look();
          for (const who of before) await write(who, false);
          const copy = await copyOf(stage.redis, namespace);
          for (const who of lost) await write(who, goesBack);
          if (ticksBeforeLoss) await gateway.tick();
          if (goesBack) await copy.restore();
          for (const comer of comers) {
            if (comer < 2) await write(comer, false);
            else if (comer === 2) await gateway.tick();
            else await look();
          }
          await gateway.tick();
        }
        for (const { after, at } of cursors) {
          const items = await readOn(gateway.history, after, limit, cut);
          const gaps = items.flatMap(({ gap }) => gap ?? []);
          const covers = (n: number) => gaps.some((gap) => gap.after < n && n < gap.before);
          const due = written.filter((entry) => entry.at >= at);
          expect(items.flatMap(({ record }) => record?.n ?? [])).toEqual(
            due.filter(({ isLost }) => !isLost).map(({ n }) => n),
          );
          expect(due.filter(({ n, isLost }) => isLost && !covers(n))).toEqual([]);
          for (const { after: from, before: to, reason } of gaps) {
            expect(reason).toBe('rollback');
            expect(written.some(({ n, isLost }) => isLost && from < n && n < to)).toBe(true);
          }
        }
        for (const part of open.splice(0)) part.close();
      }),
      { numRuns: 25 },
    );
  }, 120_000);

  it('is told live, in its place, where the loss becomes known after others have gone on', async () => {
    const namespace = randomNamespace();
    const [knowing, other] = [await processOf(namespace), await processOf(namespace)];
    await knowing.write('0');
    const copy = await copyOf(stage.redis, namespace);
    const lost = await knowing.write('1');
    await copy.restore();
    await other.write('2');
    const reader = await stage.broker({ namespace });
    const ear = new Ear();
    await reader.subscribe(['*'], ear);
    const known = await knowing.write('3');
    await ear.heard(({ gaps }) => gaps.length === 1);
    const after = await knowing.write('4');
    await ear.heard(({ msgs }) => msgs.length === 2);
    const [gap] = ear.gaps;
    expect(ear.msgs).toEqual(['3', '4']);
    expect(gap).toMatchObject({ channel: null, reason: 'rollback' });
    expect(gap?.after).toBeLessThan(lost);
    expect(gap?.before).toBeGreaterThan(known + 1);
    expect(gap?.before).toBeLessThanOrEqual(after);
  });

  it('is told also where the first who ticks may not tell it: its own tick goes on', async () => {
    const namespace = randomNamespace();
    const prefix = `{${namespace}}:`;
    const [knowing, other] = [await processOf(namespace), await processOf(namespace)];
    await knowing.write('0');
    const copy = await copyOf(stage.redis, namespace);
    await knowing.write('1');
    await copy.restore();
    await other.write('2');
    const rights = ['resetchannels', `&${prefix}=*`, `&${prefix}#tick*`, '&c:*', '~*', '+@all'];
    await stage.redis.call('ACL', 'SETUSER', 'narrow', 'on', '>pass', ...rights);
    const narrow = await processOf(namespace, stage.server.url.replace('redis://', 'redis://narrow:pass@'));
    const reader = new Redis(stage.server.url);
    open.push({ close: () => reader.disconnect() });
    const told: string[] = [];
    reader.on('message', (_, text: string) => told.push(text));
    await reader.subscribe(`${prefix}#loss`);
    await knowing.write('3');
    await narrow.tick();
    expect(await stage.redis.hexists(`${prefix}log`, 'lost')).toBe(1);
    await knowing.tick();
    await expect.poll(() => told.length).toBe(1);
    expect(await stage.redis.hexists(`${prefix}log`, 'lost')).toBe(0);
  });

  it('is told of two losses that became known together, also where it was told of one of them before', async () => {
    const namespace = randomNamespace();
    const [first, second, other] = [
      await processOf(namespace),
      await processOf(namespace),
      await processOf(namespace),
    ];
    const loseAfter = async (knowing: Awaited<ReturnType<typeof processOf>>) => {
      const copy = await copyOf(stage.redis, namespace);
      const lost = await knowing.write('lost');
      await copy.restore();
      await other.write('unknowing');
      return lost;
    };
    const kept = await first.write('kept');
    const lostFirst = await loseAfter(first);
    await second.write('between');
    const lostSecond = await loseAfter(second);
    await first.write('known'); // and so is the first loss by now
    await second.write('known');
    await other.tick();
    for (const [after, lost] of [
      [kept, [lostFirst, lostSecond]],
      [lostFirst, [lostFirst, lostSecond]],
      [lostSecond, [lostFirst, lostSecond]],
    ] as const) {
      const items = await readOn(other.history, after, 100, 1_000);
      const gaps = items.flatMap(({ gap }) => gap ?? []);
      expect(lost.filter((n) => !gaps.some((gap) => gap.after < n && n < gap.before))).toEqual([]);
      expect(new Set(gaps.map((gap) => gap.after)).size).toBe(gaps.length);
    }
  });

  it('is told nothing of a log that was wiped, by a process that has seen entries of that one', async () => {
    const namespace = randomNamespace();
    const knowing = await processOf(namespace);
    await knowing.write('0');
    const copy = await copyOf(stage.redis, namespace);
    await copy.restore();
    await knowing.write('1'); // at a position a minute ahead of the clock
    await stage.redis.del(...(await stage.redis.keys(`{${namespace}}:*`)));
    const fresh = await processOf(namespace);
    const after = await fresh.write('2');
    await stage.redis.hset(`{${namespace}}:log`, 'run', 'another'); // as after a restart that loses nothing
    await knowing.write('3');
    await knowing.tick();
    const items = await readOn(fresh.history, after, 10, 10);
    expect(items.map(({ record, gap }) => record?.entry.msg ?? gap)).toEqual(['3']);
  });

  it('is told nothing by news that is none', async () => {
    const namespace = randomNamespace();
    const reader = await stage.broker({ namespace });
    const ear = new Ear();
    await reader.subscribe(['*'], ear);
    const head = await reader.head();
    const token = await stage.redis.hget(`{${namespace}}:log`, 'token');
    for (const news of [
      '',
      'abc',
      `1 1e999 ${token}`,
      `${head + 9} ${head + 5} ${token}`,
      `1 ${head} ${token}`,
      `1 ${head + 5}`,
    ])
      await stage.redis.publish(`{${namespace}}:#loss`, news);
    await reader.publish([line('a', 'after')]);
    await ear.heard(({ msgs }) => msgs.includes('after'));
    expect(ear.gaps).toEqual([]);
  });

  it('is told nothing where the place that was skipped has held no entry', async () => {
    const namespace = randomNamespace();
    const gateway = await processOf(namespace);
    await gateway.write('0');
    const { head } = await gateway.history.state();
    const copy = await copyOf(stage.redis, namespace);
    for (let i = 0; i < 2; i++) {
      await copy.restore(); // the second copy lacks what lifted the first, and nothing else
      await gateway.tick();
      await gateway.history.state(); // and so it has seen a position above those of all entries
    }
    await gateway.write('1');
    const items = await readOn(gateway.history, head, 10, 10);
    expect(items.map(({ record, gap }) => record?.entry.msg ?? gap)).toEqual(['1']);
  });
});
