// The state of a collector on disk, and what is sent when it goes on after it was killed at any moment.
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { BrokerUnavailable, CodedError } from '@llm-streamer/shared/errors.ts';
import type { PublishTransport } from '@llm-streamer/shared/publish/delivery.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../../src/collect/journal.ts';
import { type CollectedDraft, JournaledTransport } from '../../src/collect/journaled-transport.ts';
import { StateLock } from '../../src/collect/lock.ts';
import { stampOf } from '../../src/collect/stamp.ts';

const FLOOR = stampOf(1_000_000_000_000);
let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-streamer-journal-'));
  path = join(folder, 'state.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

function entry(n: number, container = 'a', channel = 'logs'): CollectedDraft {
  const at = stampOf(1_795_953_114_000 + n);
  return {
    channel,
    body: JSON.stringify({ time: 1, channel, source: 's', level: 'info', msg: `line ${n}` }),
    container,
    delivered: { since: at, stdout: { at, nth: 1, top: at } },
  };
}

async function linesOf(broker: MemoryBroker): Promise<string[]> {
  const page = await broker.readPage({ channels: ['*'], after: BEGINNING, limit: 10_000 });
  return page.items.flatMap(({ record }) => (record ? [JSON.parse(String(record.data)).msg as string] : []));
}

const ignore = () => undefined;

describe('the journal', () => {
  it('remembers where to begin, and how far each container was delivered', async () => {
    const first = await Journal.open(path, FLOOR);
    const transport = new JournaledTransport(new MemoryBroker(), first, ignore);
    await transport.publish([entry(1), entry(2, 'b'), entry(3)], { writer: '', seq: 1 });
    await first.close();
    const second = await Journal.open(path, stampOf(Date.now()));
    expect(second.floor).toBe(FLOOR);
    expect(second.delivered('a')).toEqual(entry(3).delivered);
    expect(second.delivered('b')).toEqual(entry(2).delivered);
    expect(second.pending).toBeUndefined();
    await second.close();
  });

  it('takes a line that was not written whole for a batch that was not sent', async () => {
    const first = await Journal.open(path, FLOOR);
    await first.close();
    await appendFile(path, '{"batch":{"writer":"x","seq":1,"drafts":[["logs","{');
    const second = await Journal.open(path, FLOOR);
    expect(second.pending).toBeUndefined();
    await second.close();
    expect(await readFile(path, 'utf8')).toMatch(/^\{"v":1,[^\n]*\n$/);
  });

  it.each([
    ['not JSON\n{"done":1}\n', 'line 1 is damaged'],
    ['{"done":1}\n', 'line 1 is damaged'],
    ['[]\n', 'line 1 is damaged'],
  ])('that is damaged is refused in one line: %j', async (text, message) => {
    await writeFile(path, text);
    await expect(Journal.open(path, FLOOR)).rejects.toThrow(message);
  });

  it('stays small', async () => {
    const journal = await Journal.open(path, FLOOR);
    const transport = new JournaledTransport({ publish: async () => [] }, journal, ignore);
    const large = { ...entry(1), body: 'x'.repeat(900_000) };
    for (let seq = 1; seq <= 12; seq++) await transport.publish([large], { writer: '', seq });
    await journal.close();
    expect((await readFile(path)).length).toBeLessThan(6_000_000);
    const again = await Journal.open(path, FLOOR);
    expect(again.delivered('a')).toEqual(entry(1).delivered);
    await again.close();
    expect((await readFile(path)).length).toBeLessThan(1_000);
  });

  it('can be used by one collector at a time, and by the next when that one is killed', async () => {
    const lock = await StateLock.take(path);
    await expect(StateLock.take(path)).rejects.toThrow('another collector uses it');
    await lock.release();
    await writeFile(`${path}.lock`, ''); // what a killed process leaves is a socket on which nobody listens
    await (await StateLock.take(path)).release();
  });
});

describe('batches', () => {
  it('are each written once, wherever a collector is killed, and the next goes on', async () => {
    const broker = new MemoryBroker();
    const killed = new Error('killed');
    for (let run = 0; run < 8; run++) {
      const journal = await Journal.open(path, FLOOR);
      let calls = 0;
      const link: PublishTransport = {
        publish: async (drafts, stamp) => {
          calls++;
          if (run % 4 === 1 && calls === 3) throw killed; // before the log has the batch
          const ids = await broker.publish(drafts, stamp);
          if (run % 4 === 2 && calls === 2) throw killed; // after it
          return ids;
        },
      };
      const transport = new JournaledTransport(link, journal, ignore);
      try {
        await transport.resume();
        const done = journal.delivered('a')?.stdout?.at ?? '';
        const rest = Array.from({ length: 100 }, (_, n) => entry(n)).filter(
          ({ delivered }) => delivered.since > done,
        );
        for (let seq = 1; rest.length > 0 && seq < 5; seq++)
          await transport.publish(rest.splice(0, 5), { writer: '', seq });
      } catch (error) {
        expect(error).toBe(killed);
      }
      await journal.close();
      if (run % 4 === 3) await cutLastLine(path);
    }
    const lines = await linesOf(broker);
    expect(lines.length).toBeGreaterThan(60);
    expect(lines).toEqual(lines.map((_, n) => `line ${n}`));
  });

  it('are repeated under the same number while the log is away', async () => {
    const stamps: unknown[] = [];
    const journal = await Journal.open(path, FLOOR);
    const away = {
      publish: async (_: unknown, stamp: unknown) => {
        stamps.push(stamp);
        if (stamps.length < 3) throw new BrokerUnavailable('away');
        return [];
      },
    };
    const transport = new JournaledTransport(away, journal, ignore);
    const batch = [entry(1)];
    await expect(transport.publish(batch, { writer: '', seq: 1 })).rejects.toThrow('away');
    await expect(transport.publish(batch, { writer: '', seq: 1 })).rejects.toThrow('away');
    await transport.publish(batch, { writer: '', seq: 1 });
    expect(stamps).toEqual([stamps[0], stamps[0], stamps[0]]);
    await journal.close();
  });

  it('that the log refuses for one channel cost no other channel an entry, also if the collector is killed meanwhile', async () => {
    const broker = new MemoryBroker();
    let isKilled = true;
    const link: PublishTransport = {
      publish: async (drafts, stamp) => {
        if (drafts.some(({ channel }) => channel === 'bad')) throw new CodedError('too_many_channels', 'no');
        const ids = await broker.publish(drafts, stamp);
        if (isKilled && drafts[0]?.channel === 'logs:b') throw new Error('killed');
        return ids;
      },
    };
    const journal = await Journal.open(path, FLOOR);
    const batch = [
      entry(1, 'a', 'logs:a'),
      entry(2, 'x', 'bad'),
      entry(3, 'b', 'logs:b'),
      entry(4, 'c', 'logs:c'),
    ];
    await expect(
      new JournaledTransport(link, journal, ignore).publish(batch, { writer: '', seq: 1 }),
    ).rejects.toThrow('killed');
    await journal.close();
    isKilled = false;
    const again = await Journal.open(path, FLOOR);
    const refused: [number, string][] = [];
    const transport = new JournaledTransport(link, again, (entries, channel) =>
      refused.push([entries, channel]),
    );
    await transport.resume();
    await transport.publish([entry(5, 'a', 'logs:a')], { writer: '', seq: 1 });
    expect(await linesOf(broker)).toEqual(['line 1', 'line 3', 'line 4', 'line 5']);
    expect(refused).toEqual([[1, 'bad']]);
    await again.close();
  });
});

async function cutLastLine(file: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  // Only the note that a batch is done may be missing: anything else was on disk before it was acted upon.
  if (last.startsWith('{"done"')) await truncate(file, text.length - last.length - 1 + 4);
}
