// The index against the filter of every view: no view that wants an entry is missed, and few others are candidates.
import { LogRecord, writeHead } from '@llm-streamer/shared/broker/record.ts';
import { type EntryFields, LEVELS } from '@llm-streamer/shared/entry.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { ViewIndex } from '../../../src/stream/live/view-index.ts';
import { compileFilter } from '../../../src/stream/query/filter.ts';
import type { Selection } from '../../../src/stream/query/query.ts';

const N = 1_795_224_320_113_456;

const record = (msg: string, more: Partial<EntryFields> = {}): LogRecord => {
  const { body } = line('a', msg, more);
  return new LogRecord('a', Buffer.from(writeHead(N, 'abcdefgh', 0) + body.slice(1)), { n: N, prev: 0 });
};

const view = (filter: Omit<Selection, 'channels'>) => ({ selection: { channels: ['a'], ...filter } });
type TestView = ReturnType<typeof view>;

const wants = ({ selection }: TestView, entry: LogRecord) => compileFilter(selection)?.(entry) ?? true;

const indexOf = (views: readonly TestView[]) => {
  const index = new ViewIndex<TestView>();
  for (const one of views) index.addView(one);
  return index;
};

const word = fc.string({ unit: fc.constantFrom('a', 'B', 'b', '1', ' '), minLength: 1, maxLength: 6 });
const source = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 6 });
const parts = { level: fc.constantFrom(...LEVELS), source, run: word, q: word };
const filter = fc.record(parts, { requiredKeys: [] });
const entry = fc
  .record({
    level: parts.level,
    source: word,
    run: fc.option(word, { nil: undefined }),
    msg: fc.string({ unit: fc.constantFrom('a', 'B', '1', ' '), maxLength: 20 }),
    event: fc.option(word, { nil: undefined }),
    attrs: fc.option(fc.record({ deep: word }), { nil: undefined }),
  })
  .map(({ msg, run, event, attrs, ...rest }) =>
    record(msg, { ...rest, ...(run && { run }), ...(event && { event }), ...(attrs && { attrs }) }),
  );

describe('an index of views', () => {
  it.each([0, 100])('misses no view that wants the entry, with %i others', (others) => {
    const crowd = Array.from({ length: others }, (_, i) =>
      view(i % 2 ? { q: `other ${i}` } : { source: `other-${i}*` }),
    );
    fc.assert(
      fc.property(
        fc.array(filter, { maxLength: 20 }),
        fc.nat(3),
        fc.array(entry),
        (filters, left, entries) => {
          const views = [...filters.map(view), ...crowd];
          const index = indexOf(views);
          for (const gone of views.splice(0, left)) index.removeView(gone);
          for (const entry of entries) {
            const candidates = index.candidates(entry);
            expect(new Set(candidates).size).toBe(candidates.length);
            expect(views).toEqual(expect.arrayContaining([...candidates]));
            const wanting = views.filter((one) => wants(one, entry));
            expect(wanting.filter((one) => !candidates.includes(one))).toEqual([]);
          }
          expect(index.all).toEqual(views);
        },
      ),
    );
  });

  const kinds: Record<string, (i: number) => Omit<Selection, 'channels'>> = {
    sources: (i) => ({ source: `worker-${i}` }),
    'sources with stars': (i) => ({ source: `*worker-${i}-*` }),
    runs: (i) => ({ run: `run-${i}` }),
    texts: (i) => ({ q: `Request ${i} took` }),
    'sources of one run': (i) => ({ run: 'run-7', source: `worker-${i}` }),
    'texts from one source': (i) => ({ level: 'info', source: 'worker-7', q: `request ${i} ` }),
  };
  it.each(Object.entries(kinds))('of a thousand %s gives those that match and few others', (_, make) => {
    const views = Array.from({ length: 1_000 }, (_, i) => view(make(i)));
    const index = indexOf(views);
    const entry = record('request 7 took 12 ms', { source: 'worker-7', run: 'run-7' });
    const starred = record('request 7 took 12 ms', { source: 'worker-7-b', run: 'run-7' });
    const matching = views.filter((one) => wants(one, entry) || wants(one, starred));
    expect(matching).toHaveLength(1);
    for (const one of [entry, starred]) expect(index.candidates(one).length).toBeLessThan(20);
  });

  it('finds a text whatever its case, in message, event and attributes', () => {
    const wanting = [view({ q: 'QuEue' }), view({ q: 'FULL' })];
    const index = indexOf([...Array.from({ length: 100 }, (_, i) => view({ q: `other ${i}` })), ...wanting]);
    for (const entry of [
      record('the queue is Full'),
      record('full', { event: 'Queue.Joined' }),
      record('x', { event: 'full', attrs: { queue: 7 } }),
    ])
      expect(new Set(index.candidates(entry))).toEqual(new Set(wanting));
  });

  it('does not read the entry while there are few views', () => {
    const index = indexOf([view({}), view({ q: 'x' })]);
    const unread = new Proxy(record('x'), {
      get: (_, key) => {
        throw new Error(`${String(key)} was read`);
      },
    });
    expect(index.candidates(unread)).toHaveLength(2);
    for (let i = 0; i < 20; i++) index.addView(view({ q: `x${i}` }));
    expect(() => index.candidates(unread)).toThrow('entry was read');
  });

  it('ignores the removal of a view that was never added', () => {
    const stays = view({});
    const index = indexOf([stays]);
    index.removeView(view({}));
    expect(index.candidates(record('x'))).toEqual([stays]);
  });
});
