// The ring against a plain list of all segments: it hands out what was kept, from the right segment on.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Segment } from '../../../src/stream/live/segment.ts';
import { SegmentRing } from '../../../src/stream/live/segment-ring.ts';
import { Chunk } from '../../../src/stream/wire/chunk.ts';

const LIMIT = 65_536;

/** `by`: how many positions the segment covers; 0 for one that holds only a ping. */
const step = fc.record({ by: fc.nat(3), bytes: fc.integer({ min: 1, max: 9_000 }) });

function segmentsOf(list: readonly { by: number; bytes: number }[]): Segment[] {
  let to = 1_000;
  return list.map(({ by, bytes }, i) => {
    const from = to;
    to += by;
    const chunk = Chunk.of([Buffer.alloc(bytes, `<${i}>`)]);
    return { from, to, unstoredBefore: i, unstoredAfter: i + 1, chunk };
  });
}

const contentOf = (segments: readonly Segment[]) =>
  Buffer.concat(segments.map(({ chunk }) => chunk.body)).toString();

it('hands out what was kept, joined, from the first segment after the cursor on', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), fc.nat(200), (list, offset) => {
      const all = segmentsOf(list);
      const ring = new SegmentRing();
      const kept: Segment[] = [];
      for (const segment of all) {
        ring.keep(segment, LIMIT);
        kept.push(segment);
      }
      const oldest = ring.segmentAfter(0);
      const forgotten =
        oldest === undefined
          ? 0
          : kept.findIndex(({ unstoredBefore }) => unstoredBefore === oldest.unstoredBefore);
      const cursor = 1_000 + offset;
      const expected = kept.slice(forgotten).find(({ from, to }) => from >= cursor && to > cursor);
      const found = ring.segmentAfter(cursor);
      expect(found?.unstoredBefore).toBe(expected?.unstoredBefore);
      if (!found) return;
      const joined = all.slice(found.unstoredBefore, found.unstoredAfter);
      expect(found.chunk.body.toString()).toBe(contentOf(joined));
      expect({ from: found.from, to: found.to }).toEqual({
        from: joined[0]?.from,
        to: joined.at(-1)?.to,
      });
    }),
  );
});

it('always keeps the newest segment, no more than its limit, and at least half of the limit once it is full', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 40 }), (sizes) => {
      const all = segmentsOf(sizes.map((bytes) => ({ by: 1, bytes })));
      const ring = new SegmentRing();
      for (const segment of all) ring.keep(segment, LIMIT);
      const oldest = ring.segmentAfter(0)?.from ?? Number.NaN;
      const kept = all.filter(({ from }) => from >= oldest);
      const bytes = (list: readonly Segment[]) => list.reduce((sum, { chunk }) => sum + chunk.body.length, 0);
      expect(ring.segmentAfter(all.at(-1)?.from ?? 0)?.chunk.body).toEqual(all.at(-1)?.chunk.body);
      const largest = Math.max(...sizes);
      expect(bytes(kept)).toBeLessThanOrEqual(Math.max(LIMIT, 2 * largest));
      if (kept.length < all.length) expect(bytes(kept)).toBeGreaterThan(LIMIT / 2 - largest);
    }),
  );
});

it('hands out copies, which stay as they are while the ring is overwritten', () => {
  const all = segmentsOf(Array.from({ length: 100 }, () => ({ by: 1, bytes: 5_000 })));
  const ring = new SegmentRing();
  ring.keep(all[0] as Segment, LIMIT);
  const chunk = ring.segmentAfter(0)?.chunk;
  for (const segment of all.slice(1)) ring.keep(segment, LIMIT);
  expect(chunk?.body).toEqual(all[0]?.chunk.body);
  ring.clear();
  expect(ring.segmentAfter(0)).toBeUndefined();
});

it('hands the same joined segment to all viewers with the same cursor, and a large segment as it is', () => {
  const all = segmentsOf([100, 100, 20_000, 100].map((bytes) => ({ by: 1, bytes })));
  const ring = new SegmentRing();
  for (const segment of all) ring.keep(segment, LIMIT);
  expect(ring.segmentAfter(0)).toBe(ring.segmentAfter(0));
  expect(ring.segmentAfter(0)?.to).toBe(all[1]?.to);
  expect(ring.segmentAfter(all[2]?.from ?? 0)?.chunk).toBe(all[2]?.chunk);
});
