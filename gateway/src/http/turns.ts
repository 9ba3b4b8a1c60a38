// A few at a time: work that takes several times the memory of what it works on, such as unpacking and parsing a body, waits for its turn.
// Turns go round by client: however much one client has waiting, the next one's first work waits for one turn of each client.

const AT_ONCE = 4;

export class Turns {
  #working = 0;
  /** By client, first the one whose turn was longest ago. Who has nothing waiting is not in here. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** @param who is one client, as in `sharerOf` */
  async run<T>(who: string, work: () => Promise<T>): Promise<T> {
    if (this.#working < AT_ONCE) this.#working++;
    else await this.#turn(who);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(who: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const works = this.#waiting.get(who);
    if (works === undefined) this.#waiting.set(who, [resolve]);
    else works.push(resolve);
    return promise;
  }

  /** Gives the place of a work that has ended to the next one. */
  #next(): void {
    for (const [who, works] of this.#waiting) {
      this.#waiting.delete(who);
      const go = works.shift();
      if (works.length > 0) this.#waiting.set(who, works);
      go?.();
      return;
    }
    this.#working--;
  }
}
