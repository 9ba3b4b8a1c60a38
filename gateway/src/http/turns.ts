// A few at a time: work that takes several times the memory of what it works on, such as unpacking and parsing a body, waits for its turn.

const AT_ONCE = 4;

export class Turns {
  #working = 0;
  readonly #waiting: (() => void)[] = [];

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#working >= AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go));
    this.#working++;
    try {
      return await work();
    } finally {
      this.#working--;
      this.#waiting.shift()?.();
    }
  }
}
