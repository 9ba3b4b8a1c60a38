// At most one line of a log in a period, however often something happens: whoever can make it happen cannot fill the log. The line
// can say how often it happened.

export class LineLimiter {
  readonly #periodMs: number;
  readonly #now: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(periodMs: number, now: () => number = () => performance.now()) {
    this.#periodMs = periodMs;
    this.#now = now;
  }

  /** Counts that it has happened. Returns how often since the last line, this time included; 0 if there may be no line now. */
  take(): number {
    this.#count += 1;
    const now = this.#now();
    if (now - this.#last < this.#periodMs) return 0;
    const count = this.#count;
    this.#last = now;
    this.#count = 0;
    return count;
  }
}
