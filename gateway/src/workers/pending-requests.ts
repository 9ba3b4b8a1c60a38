// Questions to another process, which may be frozen: each is answered within a time limit or counts as unanswered.

/** Questions that may be open at a time: what is sent to a process that reads nothing stays in this one's memory. */
const MAX_OPEN = 20_000;

interface Open<Answer> {
  take(answer: Answer): void;
  giveUp(): void;
  timer: NodeJS.Timeout;
}

export class PendingRequests<Answer> {
  readonly #open = new Map<number, Open<Answer>>();
  readonly #patienceMs: number;
  #asked = 0;
  #closed = false;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /**
   * Resolves with the answer, or with undefined where none came in time; an answer that comes after that goes to `late`.
   * `send` sends the question with its number, which the answer repeats.
   */
  send(send: (id: number) => void, late: (answer: Answer) => void = () => {}): Promise<Answer | undefined> {
    if (this.#closed || this.#open.size >= MAX_OPEN) return Promise.resolve(undefined);
    const id = ++this.#asked;
    return new Promise((resolve) => {
      const open: Open<Answer> = {
        take: resolve,
        giveUp: () => {
          open.take = late;
          resolve(undefined);
        },
        timer: setTimeout(() => open.giveUp(), this.#patienceMs),
      };
      this.#open.set(id, open);
      send(id);
    });
  }

  settle(id: number, answer: Answer): void {
    const open = this.#open.get(id);
    if (!open) return;
    this.#open.delete(id);
    clearTimeout(open.timer);
    open.take(answer);
  }

  /** The other process is gone: what is open, and what is asked from now on, has no answer. */
  close(): void {
    this.#closed = true;
    for (const { timer, giveUp } of this.#open.values()) {
      clearTimeout(timer);
      giveUp();
    }
    this.#open.clear();
  }
}
