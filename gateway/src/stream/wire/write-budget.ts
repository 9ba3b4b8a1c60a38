// How many bytes viewers may write while they ask for a stream, begin it or catch up: one MiB in each round of the event loop,
// first come, first served. So a live entry waits for one such round at most, however many viewers come back at once.

/** Copying this much to sockets takes about a millisecond. */
const ROUND_BYTES = 1_048_576;

export class WriteBudget {
  #left = ROUND_BYTES;
  #waiting: { bytes: number; go: () => void }[] = [];
  #scheduled = false;

  /** Undefined if the caller may write its bytes now; otherwise a promise that resolves when it may. */
  acquire(bytes: number): Promise<void> | undefined {
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#beginRound());
    }
    if (this.#left > 0 && this.#waiting.length === 0) {
      this.#left -= bytes;
      return undefined;
    }
    return new Promise((go) => this.#waiting.push({ bytes, go }));
  }

  #beginRound(): void {
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
    if (this.#scheduled) setImmediate(() => this.#beginRound());
  }
}
