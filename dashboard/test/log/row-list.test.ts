import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowList, type RowListOptions } from '../../src/log/row-list.ts';
import { LogBuffer } from '../../src/stream/buffer.ts';
import { entry } from '../rows.ts';

const ALL: RowListOptions = {
  test: () => true,
  folds: undefined,
  unfolded: new Set(),
  columns: 0,
  headLines: 0,
  why: () => '',
};

describe('the row list', () => {
  it('computes lines and items exactly as counting finds them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 5, max: 60 }),
        (lengths, limit) => {
          const buffer = new LogBuffer(limit);
          const list = new RowList(buffer, { ...ALL, columns: 20 });
          for (const length of lengths) {
            buffer.append(entry({ msg: 'x'.repeat(length) }));
            list.catchUp();
          }
          let line = 0;
          for (let place = list.first; place < list.end; place++) {
            expect(list.linesBefore(place)).toBe(line);
            const lines = list.linesAt(place);
            expect(list.placeOfLine(line)).toBe(place);
            expect(list.placeOfLine(line + lines - 1)).toBe(place);
            line += lines;
          }
          expect(list.lines).toBe(line);
        },
      ),
    );
  });

  it('is right across the end of the ring', () => {
    const buffer = new LogBuffer(100);
    const list = new RowList(buffer, ALL);
    for (let i = 0; i < 140_000; i++) {
      buffer.append(entry({ msg: 'm' }));
      if (i % 50 === 0) list.catchUp();
    }
    list.catchUp();
    expect(list.lines).toBe(101);
    expect(list.placeOfLine(0)).toBe(list.first);
    expect(list.placeOfLine(100)).toBe(list.end - 1);
  });

  it('counts the entries that the filter hides', () => {
    const buffer = new LogBuffer();
    for (let i = 0; i < 10; i++) buffer.append(entry({ level: i < 3 ? 'error' : 'info' }));
    const list = new RowList(buffer, { ...ALL, test: (row) => row.level >= 4 });
    list.catchUp();
    expect([list.size, list.hidden, list.errors]).toEqual([3, 7, 3]);
  });

  it('no longer counts hidden entries that were evicted', () => {
    const buffer = new LogBuffer(10);
    const list = new RowList(buffer, { ...ALL, test: (row) => row.level >= 4 });
    for (let i = 0; i < 95; i++) {
      buffer.append(entry({ level: i % 2 === 0 ? 'error' : 'info' }));
      if (i % 7 === 0) list.catchUp();
    }
    list.catchUp();
    expect([buffer.size, list.hidden]).toEqual([10, 5]);
  });
});
