// History searches against a model: any page size, direction, filter and bound give the same entries, each once.
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { type Position, parsePosition } from '@llm-streamer/shared/broker/position.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { History, type SearchResult } from '../../../src/stream/history/history.ts';
import { compileFilter } from '../../../src/stream/query/filter.ts';
import { parseSelection } from '../../../src/stream/query/query.ts';

const COUNT = 1_300;
const broker = new MemoryBroker();
const positions: Position[] = [];

beforeAll(async () => {
  for (let i = 0; i < COUNT; i++) {
    const level = i % 7 === 0 ? 'error' : 'info';
    const [id] = await broker.publish([line(['a', 'b', 'c'][i % 3] as string, `${i}`, { level })]);
    positions.push(parsePosition(`${id}`) as Position);
  }
});
afterAll(() => broker.close());

const query = (params: Record<string, string>) => {
  const selection = parseSelection(params);
  return { selection, filter: compileFilter(selection) };
};

const numbers = ({ records }: SearchResult) => records.map(({ entry }) => Number(entry.msg));

it('pages of any size, in either direction, give what a model gives', async () => {
  const history = new History(broker, { shareBytes: 0 });
  const asks = fc.record({
    channels: fc.constantFrom('*', 'a', 'a,c'),
    level: fc.constantFrom('', 'error'),
    limit: fc.integer({ min: 40, max: 900 }),
    from: fc.integer({ min: 0, max: COUNT - 1 }),
    to: fc.integer({ min: 0, max: COUNT - 1 }),
    reverse: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(asks, async ({ channels, level, limit, from, to, reverse }) => {
      const wanted = query({ channels, level });
      let after = positions[Math.min(from, to)] as Position;
      let upTo = positions[Math.max(from, to)] as Position;
      const expected = positions.flatMap((n, i) => {
        const fits = channels === '*' || channels.includes(['a', 'b', 'c'][i % 3] as string);
        return fits && n > after && n <= upTo && (level === '' || i % 7 === 0) ? [i] : [];
      });
      const got: number[] = [];
      for (let done = after >= upTo; !done; ) {
        const found = await history.search(wanted, { after, upTo, limit, reverse });
        expect(found.records.length).toBeLessThanOrEqual(limit);
        expect(found.gaps).toEqual([]);
        got.push(...numbers(found));
        if (reverse) upTo = found.next;
        else after = found.next;
        done = found.done;
      }
      expect(reverse ? got.reverse() : got).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

it('a filtered search reads no more than its bound, reports what it has left out, and continues from there', async () => {
  const history = new History(broker, { scanLimit: 500, shareBytes: 0 });
  const wanted = query({ q: `${COUNT - 1}` });
  const [first, last] = [positions[0] as Position, positions.at(-1) as Position];
  const found = await history.search(wanted, { after: first, upTo: last, limit: 10 });
  expect(found).toMatchObject({ records: [], done: false });
  expect(found.gaps).toMatchObject([{ after: found.next, before: last + 1, reason: 'scan_limit' }]);
  const on = await history.search(wanted, { after: found.next, upTo: last, limit: 10 });
  const end = on.done ? on : await history.search(wanted, { after: on.next, upTo: last, limit: 10 });
  expect(numbers(end)).toEqual([COUNT - 1]);
});

it('a tail begins so that exactly its entries follow, and without entries it begins now', async () => {
  const history = new History(broker, { shareBytes: 0 });
  const now = await broker.head();
  const { selection, filter } = query({ channels: 'a', level: 'error' });
  const { position } = await history.locateStart({ from: 'tail', count: 5 }, selection, now);
  const found = await history.search({ selection, filter }, { after: position, upTo: now, limit: 100 });
  expect(found.records).toHaveLength(5);
  expect(found.done).toBe(true);
  const none = await history.locateStart(
    { from: 'tail', count: 5 },
    query({ channels: 'nobody' }).selection,
    now,
  );
  expect(none).toEqual({ position: now });
});

it('an abandoned search ends with the page that it reads', async () => {
  const history = new History(broker, { shareBytes: 0 });
  let asked = 0;
  const upTo = await broker.head();
  const isAbandoned = () => ++asked > 1;
  const found = await history.search(query({ channels: '*' }), {
    after: 0,
    upTo,
    limit: COUNT,
    isAbandoned,
  });
  expect(found.records.length).toBeGreaterThan(0);
  expect(found).toMatchObject({ done: false });
  expect(found.records.length).toBeLessThan(COUNT);
});
