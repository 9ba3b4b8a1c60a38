// Which traces this gateway has seen lately. A span comes when it ends, so the first child of a trace is what says that the trace is
// running; its root says that it has ended.

/** About 1.5 MB. A trace that was forgotten is announced once more if a child of it comes. */
const MAX_TRACES = 10_000;

export class Traces {
  readonly #seen = new Set<string>();

  /** Whether a trace with model calls, tools or agents in it was seen. */
  has(trace: string): boolean {
    return this.#seen.has(trace);
  }

  /** True for the first time. */
  add(trace: string): boolean {
    if (this.#seen.has(trace)) return false;
    this.#seen.add(trace);
    if (this.#seen.size > MAX_TRACES) for (const oldest of this.#seen) return this.#seen.delete(oldest);
    return true;
  }

  /** What was announced did not reach the log. */
  forget(traces: Iterable<string>): void {
    for (const trace of traces) this.#seen.delete(trace);
  }
}
