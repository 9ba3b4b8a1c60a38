// Long work of one kind takes turns on the event loop: a few milliseconds of one piece of it, then whatever else is due, then
// the next piece. So any number of searches at a time holds up a live entry no longer than one of them does.

/** Who asks for turns must ask again well within the time that the loop may be held. */
const SLICE_MS = 5;

export class TimeSlicer {
  #ends = 0;
  readonly #waiting: (() => void)[] = [];

  /** Undefined while the present turn has time left; otherwise resolves when the caller's next turn has come. */
  pauseIfDue(): Promise<void> | undefined {
    if (performance.now() < this.#ends) return undefined;
    return new Promise((go) => {
      if (this.#waiting.push(go) === 1) setImmediate(this.#begin);
    });
  }

  /** One turn in each round of the loop, first come, first served. */
  readonly #begin = () => {
    this.#ends = performance.now() + SLICE_MS;
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(this.#begin);
  };
}
