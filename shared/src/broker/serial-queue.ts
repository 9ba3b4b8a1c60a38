// Work that together would take too much goes one at a time, first come, first served; whoever has gone meanwhile holds
// nobody up.

export class SerialQueue {
  #last: Promise<void> = Promise.resolve();

  /** Resolves or rejects as `work` does; undefined where nobody waits for it any more when its turn has come. */
  runNext<T>(work: () => Promise<T>, isGone = () => false): Promise<T | undefined> {
    const turn = this.#last.then(() => (isGone() ? undefined : work()));
    const end = () => undefined;
    this.#last = turn.then(end, end);
    return turn;
  }
}
