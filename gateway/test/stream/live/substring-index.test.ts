// The index against trying every needle: it may give more, never less, and of many needles only a few more.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Bucket } from '../../../src/stream/live/bucket.ts';
import { SubstringIndex } from '../../../src/stream/live/substring-index.ts';

const smallest = (buckets: Bucket<number, string>[]) => buckets.sort((a, b) => a.size - b.size)[0];

const file = (needles: Iterable<string>) => {
  const index = new SubstringIndex<string>();
  for (const needle of needles) smallest(index.buckets(needle))?.add(needle);
  return index;
};

const found = (index: SubstringIndex<string>, texts: readonly string[]) => {
  const found: string[] = [];
  index.collectCandidates(texts, found);
  return found.sort();
};

/** Of few characters, so that needles overlap and occur; some of them beyond ASCII. */
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

it('many needles that share a bucket are not few: they are looked up, too', () => {
  const index = file(Array.from({ length: 100 }, (_, i) => 'a'.repeat(4 + i)));
  expect(found(index, ['zzz'])).toEqual([]);
});

it('is empty again when all are gone', () => {
  const index = new SubstringIndex<string>();
  const [first, , last] = index.buckets('needle');
  first?.add('one');
  first?.add('other');
  last?.add('needle');
  expect([index.isEmpty, last?.size, first?.size]).toEqual([false, 1, 2]);
  for (const item of ['one', 'other', 'needle'])
    for (const bucket of index.buckets('needle')) bucket.remove(item);
  expect(index.isEmpty).toBe(true);
  expect(found(index, ['needle'])).toEqual([]);
});
