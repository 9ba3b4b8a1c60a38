// Requests to another process, which may be frozen: a request that is not answered in time resolves with undefined.

/** The most requests that wait at a time. Messages to a process that does not read them stay in this one's memory. */
const MAX_PENDING = 20_000;

interface Pending<Answer> {
  resolve(answer: Answer): void;
  giveUp(): void;
  timer: NodeJS.Timeout;
}

export class PendingRequests<Answer> {
  readonly #pending = new Map<number, Pending<Answer>>();
  readonly #patienceMs: number;
  #lastId = 0;
  #closed = false;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /**
   * Resolves with the answer, or with undefined if none came in time; an answer that comes later goes to `late`.
   * `send` has to send the request with its number, which the answer repeats.
   */
  send(send: (id: number) => void, late: (answer: Answer) => void = () => {}): Promise<Answer | undefined> {
    if (this.#closed || this.#pending.size >= MAX_PENDING) return Promise.resolve(undefined);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const pending: Pending<Answer> = {
        resolve,
        giveUp: () => {
          pending.resolve = late;
          resolve(undefined);
        },
        timer: setTimeout(() => pending.giveUp(), this.#patienceMs),
      };
      this.#pending.set(id, pending);
      send(id);
    });
  }

  settle(id: number, answer: Answer): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.resolve(answer);
  }

  /** The other process is gone: requests that wait, and those that are made from now on, get no answer. */
  close(): void {
    this.#closed = true;
    for (const { timer, giveUp } of this.#pending.values()) {
      clearTimeout(timer);
      giveUp();
    }
    this.#pending.clear();
  }
}
