// Finds the items whose text (a "needle") may be contained in a longer text, without trying each needle. It misses none, and
// gives some whose needle is not contained: the caller checks them. Needles are filed under n-grams, runs of four characters.

import { Bucket } from './bucket.ts';

/** A needle is filed under one of its runs of this many characters; a needle that is shorter is filed under itself. */
const NGRAM = 4;
/** How many bits each character gives to the hash of an n-gram. */
const BITS = 7;
const FILTER_BITS = 12;
/**
 * Up to this many needles all items are candidates. The caller tries them in less time than it would take to look up each n-gram of
 * the text: about 1 µs for 200 characters.
 */
const FEW_NEEDLES = 32;

export class SubstringIndex<T> {
  /** By the length of the n-grams: four, or less for needles that are shorter. */
  readonly #tables = new Map<number, NgramTable<T>>();

  get isEmpty(): boolean {
    for (const { size } of this.#tables.values()) if (size > 0) return false;
    return true;
  }

  /** The buckets under which an item with this needle may be filed. The needle must not be empty. */
  buckets(needle: string): Bucket<number, T>[] {
    const length = Math.min(needle.length, NGRAM);
    const table = this.#tables.get(length) ?? new NgramTable<T>(length);
    this.#tables.set(length, table);
    return table.buckets(needle);
  }

  /** Adds to `found`, each once, the items whose needle may be contained in one of the texts. */
  collectCandidates(texts: readonly string[], found: T[]): void {
    for (const item of this.#allIfFew() ?? this.#matching(texts)) found.push(item);
  }

  #allIfFew(): T[] | undefined {
    const all: T[] = [];
    for (const table of this.#tables.values()) {
      if (table.size > FEW_NEEDLES) return undefined;
      for (const items of table.values()) {
        if (all.length + items.length > FEW_NEEDLES) return undefined;
        all.push(...items);
      }
    }
    return all;
  }

  #matching(texts: readonly string[]): T[] {
    const lists = new Set<T[]>();
    for (const table of this.#tables.values())
      if (table.size > 0) for (const text of texts) table.collectLists(text, lists);
    return [...lists].flat();
  }
}

/** Lists of items by the hash of an n-gram of their needle; all n-grams of a table have the same length. */
class NgramTable<T> extends Map<number, T[]> {
  readonly #length: number;
  readonly #mask: number;
  /**
   * A counting filter: how many keys of the map fall into each slot. Most n-grams of a text are in no needle, and a 0 in this array
   * says so without a look-up in the map (RESULTS.md, "1,000 texts").
   */
  readonly #filter = new Uint16Array(1 << FILTER_BITS);

  constructor(length: number) {
    super();
    this.#length = length;
    this.#mask = (1 << (BITS * length)) - 1;
  }

  override set(hash: number, items: T[]): this {
    if (!this.has(hash)) this.#count(hash, 1);
    return super.set(hash, items);
  }

  override delete(hash: number): boolean {
    if (this.has(hash)) this.#count(hash, -1);
    return super.delete(hash);
  }

  buckets(needle: string): Bucket<number, T>[] {
    const buckets: Bucket<number, T>[] = [];
    let hash = 0;
    for (let i = 0; i < needle.length; i++) {
      hash = this.#roll(hash, needle.charCodeAt(i));
      if (i >= this.#length - 1) buckets.push(new Bucket(this, hash));
    }
    return buckets;
  }

  collectLists(text: string, lists: Set<T[]>): void {
    let hash = 0;
    for (let i = 0; i < text.length; i++) {
      hash = this.#roll(hash, text.charCodeAt(i));
      if (i < this.#length - 1 || this.#filter[slotOf(hash)] === 0) continue;
      const items = this.get(hash);
      if (items) lists.add(items);
    }
  }

  #count(hash: number, by: number): void {
    const slot = slotOf(hash);
    this.#filter[slot] = (this.#filter[slot] as number) + by;
  }

  /** A rolling hash of the last characters: adding one shifts the oldest out. */
  #roll(hash: number, character: number): number {
    return ((hash << BITS) ^ character) & this.#mask;
  }
}

/** Spreads hashes over the filter by Knuth's multiplicative method. */
function slotOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> (32 - FILTER_BITS);
}
