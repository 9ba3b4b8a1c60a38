// When the chat looks again at what the gateway lists: soon after something has happened, at most once a second however much happens, and
// from time to time at what nothing is heard of.

const PAUSE_MS = 1_000;
const UNHEARD_MS = 3_000;

export class Looking {
  readonly #look: () => Promise<unknown>;
  readonly #lookAtUnheard: () => Promise<unknown>;
  #last = 0;
  #next: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** A look that fails is repeated with the next; that the gateway is away is said elsewhere. */
  constructor(look: () => Promise<unknown>, lookAtUnheard: () => Promise<unknown>) {
    this.#look = look;
    this.#lookAtUnheard = lookAtUnheard;
  }

  open(): void {
    this.close();
    this.#timer = setInterval(() => this.#lookAtUnheard().catch(() => undefined), UNHEARD_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  soon(): void {
    const pause = Math.max(0, this.#last + PAUSE_MS - Date.now());
    this.#next ??= setTimeout(() => {
      this.#next = undefined;
      this.#last = Date.now();
      this.#look().catch(() => undefined);
    }, pause);
  }
}
