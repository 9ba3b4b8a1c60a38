// What a viewer may ask for: equal queries have one canonical form, and errors name the parameter.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTime } from '../../../src/parameters.ts';
import { parseSelection, parseStart, selectionKey } from '../../../src/stream/query/query.ts';

const NOW = 1_795_224_320_113;

describe('a selection', () => {
  it('is the same whatever the order, repetition and spelling of its parameters', () => {
    const name = fc.stringMatching(/^[a-z0-9:*]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: 20 }),
        (names, cut) => {
          fc.pre(names.filter((pattern) => pattern.slice(0, -1).includes('*')).length <= 10);
          const key = selectionKey(parseSelection({ channels: names.join(), level: 'warn' }));
          const turned = [...names].reverse();
          const other = {
            level: 'warn',
            channel: turned.slice(cut),
            channels: ['', ` ${turned.slice(0, cut).join(' , ')},`],
          };
          expect(selectionKey(parseSelection(other))).toBe(key);
        },
      ),
    );
  });

  it('differs where a filter does', () => {
    const asks = [{}, { level: 'warn' }, { source: 'warn' }, { run: 'warn' }, { q: 'warn' }, { q: 'Warn' }];
    expect(new Set(asks.map((params) => selectionKey(parseSelection(params)))).size).toBe(asks.length);
  });

  it('means all channels if it names none', () => {
    for (const params of [{}, { channels: '' }, { channels: [' , ', ','] }])
      expect(parseSelection(params)).toEqual({ channels: ['*'] });
  });

  it('takes a hundred channels and no more', () => {
    const names = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`).join();
    expect(parseSelection({ channels: names(100) }).channels).toHaveLength(100);
    expect(() => parseSelection({ channels: names(101) })).toThrow(/^channels: at most 100/);
    expect(parseSelection({ channels: Array(500).fill('same') }).channels).toEqual(['same']);
  });

  it('takes ten patterns with a star elsewhere than at the end and no more, of at most four stars each', () => {
    const starry = (count: number) => Array.from({ length: count }, (_, i) => `*:${i}`);
    const simple = Array.from({ length: 90 }, (_, i) => `logs:${i}*`);
    expect(parseSelection({ channels: [...starry(10), ...simple].join() }).channels).toHaveLength(100);
    expect(() => parseSelection({ channels: starry(11).join() })).toThrow(/^channels: at most 10 with a \*/);
    expect(() => parseSelection({ channels: '*a*b*c*d*' })).toThrow(/^channels: .* at most 4 \*$/);
    expect(() => parseSelection({ source: '*a*b*c*d*' })).toThrow(/^source: at most 4 \*$/);
    expect(parseSelection({ channels: 'a**,*******' }).channels).toEqual(['*', 'a*']);
  });

  it('throws only errors that name a parameter, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything()),
        fc.option(fc.string(), { nil: undefined }),
        (params, id) => {
          try {
            parseSelection(params);
            parseStart(params, id, NOW);
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid_query', field: expect.any(String) });
          }
        },
      ),
    );
  });
});

describe('a start', () => {
  it.each([
    [{}, { from: 'now' }],
    [{ tail: '0' }, { from: 'now' }],
    [{ tail: '10000' }, { from: 'tail', count: 10_000 }],
    [{ since: '1-5' }, { from: 'position', position: 5 }],
    [{ since: '15m' }, { from: 'time', time: NOW - 900_000 }],
    [{ since: '250ms' }, { from: 'time', time: NOW - 250 }],
    [
      { since: '2d', tail: '5' },
      { from: 'time', time: NOW - 172_800_000 },
    ],
    [{ since: '2026-11-21T10:00:00Z' }, { from: 'time', time: Date.UTC(2026, 10, 21, 10) }],
    [{ since: '2026-11-21' }, { from: 'time', time: Date.UTC(2026, 10, 21) }],
    [
      { lastEventId: '1-7', since: '1-5', tail: '3' },
      { from: 'position', position: 7 },
    ],
  ])('%o is %o', (params, start) => {
    expect(parseStart(params, undefined, NOW)).toEqual(start);
  });

  it('is the position in the header, if there is one', () => {
    expect(parseStart({ lastEventId: '1-7' }, '1-9', NOW)).toEqual({ from: 'position', position: 9 });
  });

  it.each([
    '',
    '5',
    '-5m',
    '5 m',
    '1e3s',
    '99999999999m',
    'tomorrow',
    '21.11.2026',
    '2026-13-01',
    `${'9'.repeat(400)}`,
  ])('%o is no time', (value) => {
    expect(() => parseTime('since', value, NOW)).toThrow(/^since: /);
  });
});
