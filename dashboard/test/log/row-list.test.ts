import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowList, type RowListOptions } from '../../src/log/row-list.ts';
import { LogBuffer } from '../../src/stream/buffer.ts';
import type { Row } from '../../src/stream/row.ts';
import { delta, entry } from '../rows.ts';

const ALL: RowListOptions = { test: () => true, folding: true, unfolded: new Set(), columns: 0 };

function shown(list: RowList): string[] {
  const texts: string[] = [];
  for (let place = list.first; place < list.end; place++) {
    const item = list.get(place);
    texts.push(
      item?.kind === 'fold' ? `fold:${item.text}` : item?.kind === 'entry' ? item.msg : (item?.kind ?? '?'),
    );
  }
  return texts;
}

describe('the row list', () => {
  it('folds the deltas of one generation into one line, although other entries are between them', () => {
    const buffer = new LogBuffer();
    const list = new RowList(buffer, ALL);
    for (const row of [
      delta('a', 'Hel'),
      delta('b', 'Bon'),
      entry({ msg: 'log' }),
      delta('a', 'lo'),
      delta('b', 'jour', 3),
    ]) {
      buffer.append(row);
      list.catchUp();
    }
    expect(shown(list)).toEqual(['fold:Hello', 'fold:Bonjour', 'log']);
    const fold = list.get(list.first + 1);
    expect(fold).toMatchObject({ kind: 'fold', tokens: 4, lane: 'llm-1' });
  });

  it('marks the tokens of a fold as an estimate until its end has the service’s number', () => {
    const buffer = new LogBuffer();
    const list = new RowList(buffer, ALL);
    const end = (event: string, attrs: object) =>
      entry({ event, run: 'a', attrs: { lane: 'llm-1', ...attrs } });
    const label = (...rows: Row[]) => {
      for (const row of rows) buffer.append(row);
      list.catchUp();
      const fold = list.get(list.first);
      return fold?.kind === 'fold' ? fold.label : '';
    };
    expect(label(delta('a', 'Hel', 3))).toContain(' ≈3t');
    expect(label(end('generation.finished', { 'gen_ai.usage.output_tokens': 5 }))).toContain('  5t');
    // The same lane once more, this time without a number from the service.
    expect(label(delta('a', 'lo', 2))).toContain(' ≈7t');
    expect(label(end('generation.failed', {}))).toContain(' ≈7t');
  });

  it('gives a fold without its first deltas the speed that its end reports, or that of the deltas here', () => {
    const buffer = new LogBuffer();
    const list = new RowList(buffer, ALL);
    const at = (time: number) =>
      entry({ event: 'generation.delta', run: 'a', msg: 'x', time, attrs: { lane: 'llm-1', tokens: 20 } });
    const end = (attrs: object) =>
      entry({ event: 'generation.finished', run: 'a', attrs: { lane: 'llm-1', ...attrs } });
    const speed = (...rows: Row[]) => {
      for (const row of rows) buffer.append(row);
      list.catchUp();
      const fold = list.get(list.first);
      return fold?.kind === 'fold' ? fold.speed : undefined;
    };
    const count = { 'gen_ai.usage.output_tokens': 400 };
    expect(speed(at(1_000), at(2_000))).toBe(40);
    expect(speed(end(count))).toBe(40);
    // The same lane once more: the time between the two generations counts for neither.
    expect(speed(at(60_000))).toBeUndefined();
    expect(speed(at(61_000))).toBe(40);
    const times = { duration_s: 10.5, 'gen_ai.response.time_to_first_chunk': 0.5 };
    expect(speed(end({ ...count, ...times }))).toBe(40);
    expect(speed(at(80_000), at(82_000), end({ ...count, duration_s: 8 }))).toBe(50);
  });

  it('shows the entries of a generation that was unfolded', () => {
    const buffer = new LogBuffer();
    for (const row of [delta('a', 'Hel'), delta('a', 'lo')]) buffer.append(row);
    const list = new RowList(buffer, { ...ALL, unfolded: new Set(['a llm-1']) });
    list.catchUp();
    expect(shown(list)).toEqual(['Hel', 'lo']);
  });

  it('keeps a fold that still has entries when its first ones are evicted', () => {
    const buffer = new LogBuffer(4);
    const list = new RowList(buffer, ALL);
    const rows = [
      delta('a', '1'),
      delta('a', '2'),
      entry({ msg: 'x' }),
      delta('a', '3'),
      entry({ msg: 'y' }),
      entry({ msg: 'z' }),
    ];
    for (const row of rows) {
      buffer.append(row);
      list.catchUp();
    }
    expect(shown(list)).toEqual(['gap', 'fold:3', 'x', 'y', 'z']);
    expect(list.placeOfRow(rows[3] as (typeof rows)[0])).toBe(list.first + 1);
  });

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
