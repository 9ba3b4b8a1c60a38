// A page that is cut into blocks gives from each block's beginning on what the log itself would give to a reader there.
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { BEGINNING } from '@llm-streamer/shared/broker/position.ts';
import { DEFAULT_RETENTION } from '@llm-streamer/shared/broker/retention.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { toHistoryBlocks } from '../../../src/stream/history/history-block.ts';
import { compileFilter } from '../../../src/stream/query/filter.ts';
import { parseSelection } from '../../../src/stream/query/query.ts';

const broker = new MemoryBroker({ ...DEFAULT_RETENTION, default: { entries: 400, idleMs: 60_000 } });
let start = 0;

beforeAll(async () => {
  start = await broker.head();
  for (let i = 0; i < 3_000; i++) {
    // `busy` and `loud` lose their oldest entries. The last lost entry of each lies between entries of other channels.
    const channel = i % 3 === 0 ? 'busy' : i > 2_000 ? 'loud' : `quiet-${i % 7}`;
    await broker.publish([line(channel, `${i} ${'x'.repeat(i % 5 === 0 ? 900 : 100)}`)]);
  }
});
afterAll(() => broker.close());

const everything = { channels: ['*'], upTo: Number.MAX_SAFE_INTEGER, limit: 10_000 };

it.each([
  ['all entries', {}],
  ['few of them', { q: '7 ' }],
])('with %s: every entry once, and the gaps that are still ahead', async (_, filters) => {
  const filter = compileFilter(parseSelection({ channels: '*', ...filters }));
  for (const after of [BEGINNING, start]) {
    const page = await broker.readPage({ ...everything, after });
    const blocks = await toHistoryBlocks(page, after, filter, new TimeSlicer());
    expect(blocks.length).toBeGreaterThan(4);
    let from = after;
    for (const { gaps, chunk, entries, scanned, next, done } of blocks) {
      const { items } = await broker.readPage({ ...everything, after: from });
      expect(gaps).toEqual(items.flatMap(({ gap }) => gap ?? []));
      const records = items.flatMap(({ record }) => (record && record.n <= next ? record : []));
      const passing = records.filter((record) => filter === null || filter(record));
      expect([scanned, entries]).toEqual([records.length, passing.length]);
      const text = chunk?.body.toString() ?? '';
      expect([...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual(passing.map(({ id }) => id));
      expect(done).toBe(next === page.next);
      from = next;
    }
    expect(blocks.some(({ gaps }) => gaps.length > 0)).toBe(true);
    expect(blocks.at(-1)?.gaps).toEqual([]);
  }
});
