// Divides long work into slices of 5 ms, between which the event loop does whatever else is due: live entries, other requests.
// However many jobs share a slicer, a live entry waits for one slice only, because each round of the loop runs one job.

/** Far below the 50 ms for which nothing may hold the loop: a job asks only after every few items, so its slice may be longer. */
const SLICE_MS = 5;

/**
 * Jobs of one kind share one slicer and call `pauseIfDue` after every few items. Example: a search over 40,000 entries asks
 * after each entry, and yields after each 5 ms slice; a second search at the same time runs in the slices between.
 */
export class TimeSlicer {
  #sliceEnds = 0;
  /** Each function resumes one paused job; the job that has been paused longest comes first. */
  readonly #paused: (() => void)[] = [];

  /**
   * `undefined` while the present slice has time left, so that a caller need not await anything; otherwise a promise that
   * resolves when the caller's next slice begins.
   */
  pauseIfDue(): Promise<void> | undefined {
    if (performance.now() < this.#sliceEnds) return undefined;
    return new Promise((resume) => {
      if (this.#paused.push(resume) === 1) setImmediate(this.#beginSlice);
    });
  }

  /** One slice in each round of the loop, for the first of the paused jobs. */
  readonly #beginSlice = () => {
    this.#sliceEnds = performance.now() + SLICE_MS;
    this.#paused.shift()?.();
    if (this.#paused.length > 0) setImmediate(this.#beginSlice);
  };
}
