// The index against trying every needle: it misses none, and of many needles it gives only a few that are not contained.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Bucket } from '../../../src/stream/live/bucket.ts';
import { SubstringIndex } from '../../../src/stream/live/substring-index.ts';

const smallest = (buckets: Bucket<number, string>[]) => buckets.sort((a, b) => a.size - b.size)[0];

const file = (needles: Iterable<string>) => {
  const index = new SubstringIndex<string>();
  for (const needle of needles) smallest(index.buckets(needle))?.addItem(needle);
  return index;
};

const found = (index: SubstringIndex<string>, texts: readonly string[]) => {
  const found: string[] = [];
  index.collectCandidates(texts, found);
  return found.sort();
};

/** Few different characters, some beyond ASCII, so that needles overlap and occur in the texts. */
const letters = fc.constantFrom('a', 'b', 'c', 'ä', '漢', '\ud83d', '\u{1f600}');
const text = (maxLength: number) => fc.string({ unit: letters, maxLength });

it.each([0, 100])('finds every needle that is in a text, each once, among %i others', (others) => {
  const needles = fc.uniqueArray(text(8), { maxLength: 20 }).map((all) => all.filter((one) => one !== ''));
  fc.assert(
    fc.property(needles, fc.array(text(40), { maxLength: 3 }), (needles, texts) => {
      const index = file([...needles, ...Array.from({ length: others }, (_, i) => `other ${i}`)]);
      const got = found(index, texts);
      expect(new Set(got).size).toBe(got.length);
      expect(got).toEqual(
        expect.arrayContaining(needles.filter((one) => texts.some((t) => t.includes(one)))),
      );
    }),
  );
});

it('of ten thousand needles gives those that are in the text and few others', () => {
  const index = file(Array.from({ length: 10_000 }, (_, i) => `request ${i} failed`));
  const got = found(index, ['x', 'at last request 4711 failed again']);
  expect(got).toContain('request 4711 failed');
  expect(got.length).toBeLessThan(100);
});

it('counts many needles that share a bucket as many, and looks them up', () => {
  const index = file(Array.from({ length: 100 }, (_, i) => 'a'.repeat(4 + i)));
  expect(found(index, ['zzz'])).toEqual([]);
});

it('is empty again when all items are removed', () => {
  const index = new SubstringIndex<string>();
  const [first, , last] = index.buckets('needle');
  first?.addItem('one');
  first?.addItem('other');
  last?.addItem('needle');
  expect([index.isEmpty, last?.size, first?.size]).toEqual([false, 1, 2]);
  for (const item of ['one', 'other', 'needle'])
    for (const bucket of index.buckets('needle')) bucket.removeItem(item);
  expect(index.isEmpty).toBe(true);
  expect(found(index, ['needle'])).toEqual([]);
});
