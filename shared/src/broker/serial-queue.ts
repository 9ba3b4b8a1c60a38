// Runs one task at a time, in the order in which they came, where several at once would take too much memory or time. A task
// that was abandoned while it waited is skipped.

export class SerialQueue {
  #last: Promise<void> = Promise.resolve();

  /** Resolves or rejects as `work` does. Undefined if `isAbandoned` when all earlier tasks have ended. */
  runNext<T>(work: () => Promise<T>, isAbandoned = () => false): Promise<T | undefined> {
    const result = this.#last.then(() => (isAbandoned() ? undefined : work()));
    const end = () => undefined;
    this.#last = result.then(end, end);
    return result;
  }
}
