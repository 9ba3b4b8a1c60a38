// Viewers who ask for a stream, begin it or catch up take turns: so many bytes in each round of the event loop, first come,
// first served. However many come back at once, what is live waits for one round at most.

/** About a millisecond of copying to sockets. */
const ROUND_BYTES = 1_048_576;

export class WriteBudget {
  #left = ROUND_BYTES;
  #waiting: { bytes: number; go: () => void }[] = [];
  #scheduled = false;

  /** Waits for a turn to write so many bytes; undefined where it has come. */
  acquire(bytes: number): Promise<void> | undefined {
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#round());
    }
    if (this.#left > 0 && this.#waiting.length === 0) {
      this.#left -= bytes;
      return undefined;
    }
    return new Promise((go) => this.#waiting.push({ bytes, go }));
  }

  #round(): void {
    this.#left = ROUND_BYTES;
    let count = 0;
    for (const { bytes, go } of this.#waiting) {
      if (this.#left <= 0) break;
      this.#left -= bytes;
      count++;
      go();
    }
    this.#waiting.splice(0, count);
    this.#scheduled = this.#waiting.length > 0;
    if (this.#scheduled) setImmediate(() => this.#round());
  }
}
