// How much Markdown is read in a frame, by all answers together: so the page stays free for its reader, however much there is to read.

/** UTF-16 units. */
export const READ_IN_A_FRAME = 4_000;

export class Pace {
  #spent = 0;
  readonly #nextFrame: (then: () => void) => void;
  readonly #onFree: () => void;

  /** @param onFree that more may be read */
  constructor(nextFrame: (then: () => void) => void, onFree: () => void) {
    this.#nextFrame = nextFrame;
    this.#onFree = onFree;
  }

  readonly mayRead = (length: number): boolean => {
    // Code may be longer than all that may be read in a frame, and is read in no time.
    if (this.#spent > 0 && this.#spent + length > READ_IN_A_FRAME) return false;
    if (this.#spent === 0)
      this.#nextFrame(() => {
        this.#spent = 0;
        this.#onFree();
      });
    this.#spent += length;
    return true;
  };
}
