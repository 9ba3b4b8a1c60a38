// Reading many channels together against a model: whatever lies where, the page is what sorting everything would give.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PAGE_BYTES } from '../../../src/broker/broker.ts';
import { mergeRead } from '../../../src/broker/history/merge.ts';
import type { ChannelRead } from '../../../src/broker/history/page.ts';
import type { Position } from '../../../src/broker/position.ts';
import { LogRecord, parseHead, writeHead } from '../../../src/broker/record.ts';
import { TimeSlicer } from '../../../src/time-slicer.ts';

const BASE = 1_795_300_000_000_000;

function record(channel: string, n: Position, prev: Position): LogRecord {
  const data = Buffer.from(`${writeHead(n, 'tokentok', prev)}"time":0}`);
  return new LogRecord(channel, data, parseHead(data));
}

/** Entry `i` of the log lies in channel `owners[i]`. */
function logOf(owners: readonly number[]): Map<string, LogRecord[]> {
  const log = new Map<string, LogRecord[]>();
  owners.forEach((owner, i) => {
    const channel = `c${owner}`;
    const records = log.get(channel) ?? [];
    log.set(channel, [...records, record(channel, BASE + i, records.at(-1)?.n ?? 0)]);
  });
  return log;
}

it('reads up to the wanted entries and no gap, in either direction, with every first entry known', async () => {
  const owners = fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(600) }),
    { minLength: 1, maxLength: 1_500 },
  );
  await fc.assert(
    fc.asyncProperty(owners, fc.integer({ min: 1, max: 60 }), fc.boolean(), async (of, limit, reverse) => {
      const log = logOf(of);
      const [begin, bound] = reverse ? [BASE + of.length, BASE] : [BASE - 1, BASE + of.length - 1];
      const readings = [...log.keys()].map((channel): ChannelRead => {
        return { channel, first: undefined, records: [], completeUpTo: begin };
      });
      let read = 0;
      const end = await mergeRead(
        readings,
        { end: bound, limit, bytes: PAGE_BYTES, pace: new TimeSlicer(), reverse },
        async (group, count) =>
          group.map(({ channel, completeUpTo }) => {
            const all = log.get(channel) as LogRecord[];
            const rest = reverse
              ? all.filter(({ n }) => n < completeUpTo).reverse()
              : all.filter(({ n }) => n > completeUpTo);
            read += Math.min(count, rest.length);
            return rest.slice(0, count);
          }),
        ({ channel }, { n }) => !reverse && n === log.get(channel)?.at(-1)?.n,
      );
      const got = readings.flatMap(({ records }) => records.map(({ n }) => n)).sort((a, b) => a - b);
      const [from, to] = reverse ? [end, begin - 1] : [begin + 1, end];
      expect(got).toEqual(Array.from({ length: to - from + 1 }, (_, i) => from + i));
      expect(got.length).toBe(Math.min(of.length, Math.max(limit, readings.length)));
      expect(read).toBeLessThanOrEqual(8 * Math.max(limit, readings.length));
      for (const { channel, first } of readings) {
        expect(first).toBeDefined();
        expect(log.get(channel)?.at(reverse ? -1 : 0)).toMatchObject({ ...first });
      }
    }),
    { numRuns: 150 },
  );
});

it.each([
  ['some', 80],
  ['all', 100],
])('ends a page where the log gave up %s entries between two readings, before the gap', async (_, from) => {
  const log = logOf([...Array(100).fill(0), 1, 2, 3]);
  const readings = [...log.keys()].map((channel): ChannelRead => {
    return { channel, first: undefined, records: [], completeUpTo: BASE - 1 };
  });
  const end = await mergeRead(
    readings,
    { end: BASE + 102, limit: 40, bytes: PAGE_BYTES, pace: new TimeSlicer() },
    async (group, count) =>
      group.map(({ channel, completeUpTo }) => {
        const kept = completeUpTo < BASE || channel !== 'c0' ? BASE : BASE + from;
        const rest = (log.get(channel) as LogRecord[]).filter(({ n }) => n > completeUpTo && n >= kept);
        return rest.slice(0, count);
      }),
    ({ channel }, { n }) => n === log.get(channel)?.at(-1)?.n,
  );
  const [busy] = readings;
  expect(end).toBe(busy?.records.at(-1)?.n);
  expect(busy?.records.map(({ n }) => n - BASE)).toEqual(Array.from({ length: end - BASE + 1 }, (_, i) => i));
  expect(end).toBeLessThan(BASE + 80);
});
