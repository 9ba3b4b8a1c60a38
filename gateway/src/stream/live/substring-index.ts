// Items filed under a needle each: finds those whose needle a text may hold without trying each. Never misses one, and
// gives some whose needle is not there.

import { Bucket } from './bucket.ts';

/** A needle is filed under so many of its characters; a shorter one under all it has. */
const NGRAM = 4;
const BITS = 7;
const SIEVE_BITS = 12;
/** Trying up to so many needles one after another costs less than looking at each piece of a text. */
const FEW_NEEDLES = 32;

export class SubstringIndex<T> {
  /** By the length of a piece. */
  readonly #tables = new Map<number, NgramTable<T>>();

  get isEmpty(): boolean {
    for (const { size } of this.#tables.values()) if (size > 0) return false;
    return true;
  }

  /** Wherever an item with this needle, which is not empty, may be filed. */
  buckets(needle: string): Bucket<number, T>[] {
    const length = Math.min(needle.length, NGRAM);
    const table = this.#tables.get(length) ?? new NgramTable<T>(length);
    this.#tables.set(length, table);
    return table.buckets(needle);
  }

  /** Adds to `found`, each once, what may be in one of the texts. */
  collectCandidates(texts: readonly string[], found: T[]): void {
    for (const item of this.#few() ?? this.#met(texts)) found.push(item);
  }

  /** All items, where they are few. */
  #few(): T[] | undefined {
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

  #met(texts: readonly string[]): T[] {
    const met = new Set<T[]>();
    for (const table of this.#tables.values())
      if (table.size > 0) for (const text of texts) table.collect(text, met);
    return [...met].flat();
  }
}

/** Items by the hash of one piece of their needle, all pieces of one length. */
class NgramTable<T> extends Map<number, T[]> {
  readonly #length: number;
  readonly #mask: number;
  /** How many keys fall into a slot: most pieces of a text are in no needle, and 0 is quicker to find than a key's absence. */
  readonly #sieve = new Uint16Array(1 << SIEVE_BITS);

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

  collect(text: string, met: Set<T[]>): void {
    let hash = 0;
    for (let i = 0; i < text.length; i++) {
      hash = this.#roll(hash, text.charCodeAt(i));
      if (i < this.#length - 1 || this.#sieve[slotOf(hash)] === 0) continue;
      const items = this.get(hash);
      if (items) met.add(items);
    }
  }

  #count(hash: number, by: number): void {
    const slot = slotOf(hash);
    this.#sieve[slot] = (this.#sieve[slot] as number) + by;
  }

  /** Of the last characters; the one before them is shifted out. */
  #roll(hash: number, character: number): number {
    return ((hash << BITS) ^ character) & this.#mask;
  }
}

function slotOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> (32 - SIEVE_BITS);
}
