// A set of texts that forgets those that came first when it is full: what was forgotten is new once more.

export class Seen {
  readonly #most: number;
  readonly #texts = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  has(text: string): boolean {
    return this.#texts.has(text);
  }

  /** True for the first time. */
  add(text: string): boolean {
    if (this.#texts.has(text)) return false;
    this.#texts.add(text);
    if (this.#texts.size > this.#most) for (const oldest of this.#texts) return this.#texts.delete(oldest);
    return true;
  }

  /** What was announced did not reach the log. */
  forget(texts: Iterable<string>): void {
    for (const text of texts) this.#texts.delete(text);
  }
}
