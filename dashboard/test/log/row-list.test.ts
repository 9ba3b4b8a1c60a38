import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowList, type RowListOptions } from '../../src/log/row-list.ts';
import { LogBuffer } from '../../src/stream/buffer.ts';
import type { Row } from '../../src/stream/row.ts';
import { delta, entry } from '../rows.ts';

const ALL: RowListOptions = { test: () => true, folding: true, unfolded: new Set(), columns: 0 };

function shown(view: RowList): string[] {
  const texts: string[] = [];
  for (let place = view.first; place < view.end; place++) {
    const item = view.get(place);
    texts.push(
      item?.kind === 'fold' ? `fold:${item.text}` : item?.kind === 'entry' ? item.msg : (item?.kind ?? '?'),
    );
  }
  return texts;
}

describe('the view', () => {
  it('folds the deltas of one generation into one line, though others come between', () => {
    const buffer = new LogBuffer();
    const view = new RowList(buffer, ALL);
    for (const row of [
      delta('a', 'Hel'),
      delta('b', 'Bon'),
      entry({ msg: 'log' }),
      delta('a', 'lo'),
      delta('b', 'jour', 3),
    ]) {
      buffer.append(row);
      view.catchUp();
    }
    expect(shown(view)).toEqual(['fold:Hello', 'fold:Bonjour', 'log']);
    const fold = view.get(view.first + 1);
    expect(fold).toMatchObject({ kind: 'fold', tokens: 4, lane: 'llm-1' });
  });

  it('marks the tokens of a fold as an estimate until its end gives the number of the service', () => {
    const buffer = new LogBuffer();
    const view = new RowList(buffer, ALL);
    const end = (event: string, attrs: object) =>
      entry({ event, run: 'a', attrs: { lane: 'llm-1', ...attrs } });
    const label = (...rows: Row[]) => {
      for (const row of rows) buffer.append(row);
      view.catchUp();
      const fold = view.get(view.first);
      return fold?.kind === 'fold' ? fold.label : '';
    };
    expect(label(delta('a', 'Hel', 3))).toContain(' ≈3t');
    expect(label(end('generation.finished', { 'gen_ai.usage.output_tokens': 5 }))).toContain('  5t');
    // The same task once more, and this time without a number.
    expect(label(delta('a', 'lo', 2))).toContain(' ≈7t');
    expect(label(end('generation.failed', {}))).toContain(' ≈7t');
  });

  it('gives a fold whose beginning is not here the speed that its end says, or that of the deltas here', () => {
    const buffer = new LogBuffer();
    const view = new RowList(buffer, ALL);
    const at = (time: number) =>
      entry({ event: 'generation.delta', run: 'a', msg: 'x', time, attrs: { lane: 'llm-1', tokens: 20 } });
    const end = (attrs: object) =>
      entry({ event: 'generation.finished', run: 'a', attrs: { lane: 'llm-1', ...attrs } });
    const speed = (...rows: Row[]) => {
      for (const row of rows) buffer.append(row);
      view.catchUp();
      const fold = view.get(view.first);
      return fold?.kind === 'fold' ? fold.speed : undefined;
    };
    const count = { 'gen_ai.usage.output_tokens': 400 };
    expect(speed(at(1_000), at(2_000))).toBe(40);
    expect(speed(end(count))).toBe(40);
    // The same task once more: the time between the two is nobody's.
    expect(speed(at(60_000))).toBeUndefined();
    expect(speed(at(61_000))).toBe(40);
    const times = { duration_s: 10.5, 'gen_ai.response.time_to_first_chunk': 0.5 };
    expect(speed(end({ ...count, ...times }))).toBe(40);
    expect(speed(at(80_000), at(82_000), end({ ...count, duration_s: 8 }))).toBe(50);
  });

  it('shows the raw entries of a generation that was unfolded', () => {
    const buffer = new LogBuffer();
    for (const row of [delta('a', 'Hel'), delta('a', 'lo')]) buffer.append(row);
    const view = new RowList(buffer, { ...ALL, unfolded: new Set(['a llm-1']) });
    view.catchUp();
    expect(shown(view)).toEqual(['Hel', 'lo']);
  });

  it('keeps a fold of which entries are left when its first ones are evicted', () => {
    const buffer = new LogBuffer(4);
    const view = new RowList(buffer, ALL);
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
      view.catchUp();
    }
    expect(shown(view)).toEqual(['gap', 'fold:3', 'x', 'y', 'z']);
    expect(view.placeOfRow(rows[3] as (typeof rows)[0])).toBe(view.first + 1);
  });

  it('finds lines and items by arithmetic exactly as counting does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 5, max: 60 }),
        (lengths, limit) => {
          const buffer = new LogBuffer(limit);
          const view = new RowList(buffer, { ...ALL, columns: 20 });
          for (const length of lengths) {
            buffer.append(entry({ msg: 'x'.repeat(length) }));
            view.catchUp();
          }
          let line = 0;
          for (let place = view.first; place < view.end; place++) {
            expect(view.linesBefore(place)).toBe(line);
            const lines = view.linesAt(place);
            expect(view.placeOfLine(line)).toBe(place);
            expect(view.placeOfLine(line + lines - 1)).toBe(place);
            line += lines;
          }
          expect(view.lines).toBe(line);
        },
      ),
    );
  });

  it('does not lose its place over the end of the ring', () => {
    const buffer = new LogBuffer(100);
    const view = new RowList(buffer, ALL);
    for (let i = 0; i < 140_000; i++) {
      buffer.append(entry({ msg: 'm' }));
      if (i % 50 === 0) view.catchUp();
    }
    view.catchUp();
    expect(view.lines).toBe(101);
    expect(view.placeOfLine(0)).toBe(view.first);
    expect(view.placeOfLine(100)).toBe(view.end - 1);
  });

  it('counts what the filter hides', () => {
    const buffer = new LogBuffer();
    for (let i = 0; i < 10; i++) buffer.append(entry({ level: i < 3 ? 'error' : 'info' }));
    const view = new RowList(buffer, { ...ALL, test: (row) => row.level >= 4 });
    view.catchUp();
    expect([view.size, view.hidden, view.errors]).toEqual([3, 7, 3]);
  });

  it('forgets what it hid when that is evicted', () => {
    const buffer = new LogBuffer(10);
    const view = new RowList(buffer, { ...ALL, test: (row) => row.level >= 4 });
    for (let i = 0; i < 95; i++) {
      buffer.append(entry({ level: i % 2 === 0 ? 'error' : 'info' }));
      if (i % 7 === 0) view.catchUp();
    }
    view.catchUp();
    expect([buffer.size, view.hidden]).toEqual([10, 5]);
  });
});
