// Items filed under a needle each: finds those whose needle a text may hold without trying each. Never misses one, and
// gives some whose needle is not there.

import { Bucket } from './bucket.ts';

/** A needle is filed under so many of its characters; a shorter one under all it has. */
const PIECE = 4;
const BITS = 7;
/** Trying up to so many needles one after another costs less than looking up each piece of a text. */
const FEW = 32;

export class NeedleIndex<T> {
  /** By the length of a piece, then by its hash. */
  readonly #byLength = new Map<number, Map<number, T[]>>();

  get size(): number {
    let size = 0;
    for (const buckets of this.#byLength.values()) size += buckets.size;
    return size;
  }

  /** Wherever an item with this needle, which is not empty, may be filed. */
  buckets(needle: string): Bucket<number, T>[] {
    const length = Math.min(needle.length, PIECE);
    const buckets = this.#byLength.get(length) ?? new Map<number, T[]>();
    this.#byLength.set(length, buckets);
    return hashes(needle, length).map((hash) => new Bucket(buckets, hash));
  }

  /** Adds to `found`, each once, what may be in one of the texts. */
  collect(texts: readonly string[], found: T[]): void {
    if (this.size <= FEW) {
      for (const buckets of this.#byLength.values())
        for (const items of buckets.values()) found.push(...items);
      return;
    }
    const met = new Set<T[]>();
    for (const [length, buckets] of this.#byLength) {
      if (buckets.size === 0) continue;
      for (const text of texts)
        for (const hash of hashes(text, length)) {
          const items = buckets.get(hash);
          if (items) met.add(items);
        }
    }
    for (const items of met) found.push(...items);
  }
}

/** Of each piece of `length` characters. A character is out of the hash once the mask has cut it off. */
function hashes(text: string, length: number): number[] {
  const mask = (1 << (BITS * length)) - 1;
  const all: number[] = [];
  let hash = 0;
  for (let i = 0; i < text.length; i++) {
    hash = ((hash << BITS) ^ text.charCodeAt(i)) & mask;
    if (i >= length - 1) all.push(hash);
  }
  return all;
}
