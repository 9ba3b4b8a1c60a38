// Readers who share history each get exactly what they would have read alone, and a crowd costs the log few reads.
import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { type Position, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { History } from '../../../src/stream/history/history.ts';
import { compileFilter } from '../../../src/stream/query/filter.ts';
import { parseSelection } from '../../../src/stream/query/query.ts';

const COUNT = 2_000;
/** A busy machine may need longer for a claim than blocks are kept otherwise. */
const SHARED = { shareBytes: 1_048_576, shareMs: 600_000 };
const log = new MemoryBroker();
const positions: Position[] = [];

beforeAll(async () => {
  for (let i = 0; i < COUNT; i++) {
    const [id] = await log.publish([line(i % 2 === 0 ? 'a' : 'b', `${i}`)]);
    positions.push(parsePosition(`${id}`) as Position);
  }
});
afterAll(() => log.close());

const selection = parseSelection({ channels: 'a,b' });
const view = () => ({ selection, filter: compileFilter(selection) });

/** The messages that a reader gets. */
async function readAll(history: History, query: ReturnType<typeof view>, after: Position, upTo: Position) {
  let text = '';
  let entries = 0;
  for (let at = after, done = at >= upTo; !done; ) {
    const { block } = await history.readBlock(query, { after: at, upTo, scanned: 0 });
    expect(block.next).toBeGreaterThan(at);
    text += block.chunk?.body.toString() ?? '';
    entries += block.entries;
    at = block.next;
    done = block.done;
  }
  const messages = [...text.matchAll(/"msg":"(\d+)"/g)].map(([, number]) => Number(number));
  expect(entries).toBe(messages.length);
  return messages;
}

it('readers from anywhere to anywhere, together, each get what they would have got alone', async () => {
  const place = fc.integer({ min: 0, max: COUNT - 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(place, place), { minLength: 1, maxLength: 12 }), async (readers) => {
      const history = new History(log, SHARED);
      const query = view();
      await Promise.all(
        readers.map(async ([a, b]) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          const got = await readAll(history, query, positions[from] as Position, positions[to] as Position);
          expect(got).toEqual(Array.from({ length: to - from }, (_, i) => from + 1 + i));
        }),
      );
    }),
    { numRuns: 40 },
  );
});

/** Counts the reads of the log. */
function counting(broker: Broker) {
  let reads = 0;
  const read: Broker['readPage'] = (wanted) => {
    reads++;
    return broker.readPage(wanted);
  };
  return {
    broker: new Proxy(broker, { get: (of, key) => (key === 'readPage' ? read : Reflect.get(of, key)) }),
    count: () => reads,
  };
}

it('a crowd that comes back from the same place reads the log once', async () => {
  const { broker, count } = counting(log);
  const history = new History(broker, SHARED);
  const query = view();
  const [from, to] = [positions[100] as Position, positions[COUNT - 1] as Position];
  await readAll(history, query, from, to);
  const alone = count();
  const crowd = (at: History) => Promise.all(Array.from({ length: 100 }, () => readAll(at, query, from, to)));
  await crowd(history);
  expect(count()).toBe(alone);
  await crowd(new History(broker, SHARED));
  expect(count()).toBe(2 * alone);
  // A reader that begins elsewhere uses the same blocks once it has reached the beginning of one.
  await readAll(history, query, positions[333] as Position, to);
  expect(count()).toBeLessThanOrEqual(2 * alone + 1);
});

it('shares nothing if it may keep nothing', async () => {
  const { broker, count } = counting(log);
  const history = new History(broker, { shareBytes: 0 });
  const query = view();
  for (let i = 0; i < 2; i++)
    await history.readBlock(query, {
      after: positions[0] as Position,
      upTo: positions[9] as Position,
      scanned: 0,
    });
  expect(count()).toBe(2);
});

it('reads again after a read that failed', async () => {
  let fails = true;
  const read: Broker['readPage'] = (wanted) =>
    fails ? Promise.reject(new Error('away')) : log.readPage(wanted);
  const broker = new Proxy<Broker>(log, {
    get: (of, key) => (key === 'readPage' ? read : Reflect.get(of, key)),
  });
  const history = new History(broker, SHARED);
  const query = view();
  const [from, to] = [positions[0] as Position, positions[9] as Position];
  await expect(history.readBlock(query, { after: from, upTo: to, scanned: 0 })).rejects.toThrow('away');
  fails = false;
  expect(await readAll(history, query, from, to)).toHaveLength(9);
});

it('readers with a different bound each wait for one read at most, and then read side by side', async () => {
  const waiting: (() => void)[] = [];
  const read: Broker['readPage'] = async (wanted) => {
    await new Promise<void>((go) => waiting.push(go));
    return log.readPage(wanted);
  };
  const broker = new Proxy<Broker>(log, {
    get: (of, key) => (key === 'readPage' ? read : Reflect.get(of, key)),
  });
  const history = new History(broker, SHARED);
  const query = view();
  const from = positions[0] as Position;
  const bounds = positions.slice(1, 21);
  const readings = Promise.all(bounds.map((upTo) => readAll(history, query, from, upTo)));
  await eventually('the first read', () => waiting.length === 1);
  waiting.pop()?.();
  await eventually('all the others at once', () => waiting.length === bounds.length - 1);
  for (const go of waiting) go();
  expect((await readings).map(({ length }) => length)).toEqual(bounds.map((_, i) => i + 1));
});

it('a crowd that asks for the same shares one read, even if that leads nowhere or is too large to keep', async () => {
  for (const shareBytes of [SHARED.shareBytes, 1]) {
    const { broker, count } = counting(log);
    const history = new History(broker, { ...SHARED, shareBytes });
    const query = view();
    const [ahead, upTo] = [positions[COUNT - 1] as Position, positions[5] as Position];
    await Promise.all(
      Array.from({ length: 50 }, () => history.readBlock(query, { after: ahead, upTo, scanned: 0 })),
    );
    expect(count()).toBe(1);
  }
});

it('a page that holds more than a block is read once', async () => {
  const wide = {
    read: (wanted: Parameters<Broker['readPage']>[0]) => log.readPage({ ...wanted, limit: COUNT }),
  };
  const { broker, count } = counting(
    new Proxy<Broker>(log, { get: (of, key) => (key === 'readPage' ? wide.read : Reflect.get(of, key)) }),
  );
  const history = new History(broker, SHARED);
  const [from, to] = [positions[0] as Position, positions[COUNT - 1] as Position];
  expect(await readAll(history, view(), from, to)).toHaveLength(COUNT - 1);
  expect(count()).toBe(1);
});

it('a reader that knows what is missing gets nothing from an older read, only from the same or a newer one', async () => {
  const { broker, count } = counting(log);
  const history = new History(broker, SHARED);
  const query = view();
  const wanted = { after: positions[0] as Position, upTo: positions[99] as Position, scanned: 0 };
  const { interval } = await history.readBlock(query, wanted);
  expect(await history.readBlock(query, { ...wanted, reportedBy: interval })).toMatchObject({
    interval,
  });
  expect(count()).toBe(1);
  const later = { ...interval };
  const newer = await history.readBlock(query, { ...wanted, reportedBy: later });
  expect(newer.interval).not.toBe(interval);
  expect(count()).toBe(2);
  expect((await history.readBlock(query, { ...wanted, reportedBy: interval })).interval).toBe(interval);
  expect(count()).toBe(2);
});
