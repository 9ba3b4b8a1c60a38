// One key of a map from keys to lists of items: adds items to its list and removes them, and the map holds no empty list.

export class Bucket<K, T> {
  readonly #buckets: Map<K, T[]>;
  readonly #key: K;

  constructor(buckets: Map<K, T[]>, key: K) {
    this.#buckets = buckets;
    this.#key = key;
  }

  get size(): number {
    return this.#buckets.get(this.#key)?.length ?? 0;
  }

  addItem(item: T): void {
    const items = this.#buckets.get(this.#key);
    if (items) items.push(item);
    else this.#buckets.set(this.#key, [item]);
  }

  removeItem(item: T): void {
    const left = this.#buckets.get(this.#key)?.filter((other) => other !== item) ?? [];
    if (left.length > 0) this.#buckets.set(this.#key, left);
    else this.#buckets.delete(this.#key);
  }
}
