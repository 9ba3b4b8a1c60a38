import { describe, expect, it } from 'vitest';
import { LogBuffer } from '../../src/stream/buffer.ts';
import { MarkRow } from '../../src/stream/row.ts';
import { entry } from '../rows.ts';

describe('the ring of rows', () => {
  it('keeps the last rows and counts what it evicts', () => {
    const buffer = new LogBuffer(10);
    for (let i = 0; i < 25; i++) buffer.append(entry({ msg: `m${i}` }));
    expect(buffer.size).toBe(10);
    expect(buffer.evicted).toBe(15);
    expect(buffer.get(buffer.first)).toMatchObject({ msg: 'm15' });
    expect(buffer.head).toMatchObject({ reason: 'evicted', missed: 15 });
  });

  it('keeps within its byte bound when entries are long', () => {
    const buffer = new LogBuffer(1_000, 100_000);
    for (let i = 0; i < 50; i++) buffer.append(entry({ msg: 'x'.repeat(5_000) }));
    expect(buffer.bytes).toBeLessThanOrEqual(100_000);
    expect(buffer.size).toBeGreaterThan(1);
  });

  it('inserts loaded rows in their place and moves the rows after them', () => {
    const buffer = new LogBuffer(10);
    for (let i = 0; i < 10; i++) buffer.append(entry({ msg: `m${i}` }));
    buffer.insert(buffer.first + 4, [entry({ msg: 'a' }), entry({ msg: 'b' })]);
    const seen = Array.from({ length: buffer.size }, (_, i) => buffer.get(buffer.first + i));
    expect(seen.map((row) => row?.kind === 'entry' && row.msg)).toEqual(
      'm0 m1 m2 m3 a b m4 m5 m6 m7 m8 m9'.split(' '),
    );
    expect(seen.map((row) => row?.at)).toEqual(seen.map((_, i) => buffer.first + i));
  });

  it('counts entries, and no other rows, when rows are added and removed', () => {
    const buffer = new LogBuffer(10);
    for (let i = 0; i < 12; i++) buffer.append(i % 3 === 0 ? new MarkRow('mark') : entry());
    expect(buffer.entries).toBe(7);
    buffer.insert(buffer.first, [entry(), new MarkRow('loaded'), entry()]);
    expect(buffer.entries).toBe(9);
    buffer.remove(buffer.first + 1);
    buffer.remove(buffer.first);
    expect(buffer.entries).toBe(8);
    buffer.clear();
    expect(buffer.entries).toBe(0);
  });

  it('removes a row and closes the place', () => {
    const buffer = new LogBuffer(10);
    for (let i = 0; i < 3; i++) buffer.append(entry({ msg: `m${i}` }));
    buffer.remove(buffer.first + 1);
    expect(buffer.size).toBe(2);
    expect(buffer.get(buffer.first + 1)).toMatchObject({ msg: 'm2', at: buffer.first + 1 });
  });
});
