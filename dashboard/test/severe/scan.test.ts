import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Folds } from '../../src/log/folds.ts';
import { RowList, type RowListOptions } from '../../src/log/row-list.ts';
import { PlacedRows } from '../../src/severe/placed-rows.ts';
import { SevereScan } from '../../src/severe/scan.ts';
import { LogBuffer } from '../../src/stream/buffer.ts';
import { entry } from '../rows.ts';

const ALL: RowListOptions = {
  test: () => true,
  folds: Folds,
  unfolded: new Set(),
  columns: 0,
  headLines: 0,
  why: () => '',
};

function scanOf(buffer: LogBuffer) {
  const shown = { list: new RowList(buffer, ALL) };
  const scan = new SevereScan(buffer, () => shown.list);
  const read = () => {
    while (!scan.step(performance.now() + 1_000));
    return scan.unseen;
  };
  return { shown, scan, read };
}

describe('what stands out', () => {
  it('is counted by level, and not again after the reader has looked', () => {
    const buffer = new LogBuffer();
    const { scan, read } = scanOf(buffer);
    for (const level of ['info', 'error', 'warn', 'fatal', 'debug']) buffer.append(entry({ level }));
    expect(read()).toEqual({ errors: 2, warnings: 1, isPartial: false });
    scan.look();
    expect(read()).toEqual({ errors: 0, warnings: 0, isPartial: false });
    buffer.append(entry({ level: 'warn' }));
    expect(read()).toEqual({ errors: 0, warnings: 1, isPartial: false });
  });

  it('leads to the first error that was not looked at, or else to the first warning', () => {
    const buffer = new LogBuffer();
    const { scan, read } = scanOf(buffer);
    const [old, warning, error] = ['error', 'warn', 'error'].map((level) => entry({ level }));
    buffer.append(old as never);
    read();
    expect(scan.firstUnseen).toBe(old);
    scan.look();
    buffer.append(warning as never);
    read();
    expect(scan.firstUnseen).toBe(warning);
    buffer.append(error as never);
    read();
    expect(scan.firstUnseen).toBe(error);
  });

  it('is what the filter lets through, of another filter too', () => {
    const buffer = new LogBuffer();
    const { shown, read } = scanOf(buffer);
    for (const source of ['a', 'b', 'a']) buffer.append(entry({ source, level: 'error' }));
    expect(read().errors).toBe(3);
    shown.list = new RowList(buffer, { ...ALL, test: ({ source }) => source === 'b' });
    expect(read().errors).toBe(1);
  });

  it('has the same entries behind it that the reader has looked at when a new stream brings them again', () => {
    const buffer = new LogBuffer();
    const { shown, scan, read } = scanOf(buffer);
    const fields = { level: 'error', log: 'x' };
    const [first, second] = [entry(fields), entry(fields)];
    buffer.append(first);
    read();
    scan.look();
    buffer.clear();
    shown.list = new RowList(buffer, ALL);
    for (const row of [first, second]) buffer.append(entry(row.json()));
    expect(read().errors).toBe(1);
    buffer.clear();
    shown.list = new RowList(buffer, ALL);
    buffer.append(entry({ ...first.json(), log: 'another log, whose numbers begin again' }));
    expect(read().errors).toBe(1);
  });

  it('counts older entries that are loaded before what was looked at as looked at', () => {
    const buffer = new LogBuffer();
    const { shown, scan, read } = scanOf(buffer);
    buffer.append(entry({ level: 'error' }));
    read();
    scan.look();
    buffer.insert(buffer.first, [entry({ level: 'error' }), entry({ level: 'error' })]);
    shown.list = new RowList(buffer, ALL);
    expect(read().errors).toBe(0);
    expect(scan.countAfter(undefined).errors).toBe(3);
  });

  it('is told so far as it is counted, where a filter costs so much that reading never ends', () => {
    const buffer = new LogBuffer(20);
    const { shown, scan, read } = scanOf(buffer);
    for (let i = 0; i < 21; i++) buffer.append(entry({ level: 'error' }));
    read();
    shown.list = new RowList(buffer, ALL);
    // With a deadline that is over, one error is read at a time.
    const counts = Array.from({ length: 5 }, () => scan.count(Number.NEGATIVE_INFINITY)?.errors);
    expect(counts.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(counts.slice(3)).toEqual([4, 5]);
    expect(scan.unseen.isPartial).toBe(true);
    expect(scan.count(Number.POSITIVE_INFINITY)).toEqual({ errors: 20, warnings: 0, isPartial: false });
  });

  it('forgets what the buffer has evicted', () => {
    const buffer = new LogBuffer(10);
    const { read } = scanOf(buffer);
    for (let i = 0; i < 50; i++) {
      buffer.append(entry({ level: i % 2 === 0 ? 'error' : 'warn' }));
      read();
    }
    expect(read()).toEqual({ errors: 5, warnings: 5, isPartial: false });
  });
});

it('rows by their place: counts and neighbours are those of a plain search', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(5_000), { maxLength: 3_000, size: 'max' }),
      fc.nat(5_000),
      fc.nat(5_000),
      (places, evicted, at) => {
        const placed = new PlacedRows();
        const all = places.sort((a, b) => a - b).map((place) => Object.assign(entry(), { at: place }));
        for (const row of all) placed.add(row);
        placed.evict(evicted);
        const kept = all.filter((row) => row.at >= evicted);
        expect(placed.countFrom(at)).toBe(kept.filter((row) => row.at >= at).length);
        expect(placed.next(at)).toBe(kept.find((row) => row.at >= at));
        expect(placed.previous(at)).toBe(kept.findLast((row) => row.at < at));
      },
    ),
    { numRuns: 30 },
  );
});
