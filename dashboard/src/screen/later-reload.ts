// Reloads a second screen whose code could not be loaded, since nobody is there to do it: during an upgrade another gateway may answer than
// the one that served the page. It waits for an answer, because a failed reload would leave the browser on its error page.

const EVERY_MS = 30_000;
/** An answer that takes longer is none. */
const PATIENCE_MS = 10_000;

export class LaterReload {
  readonly #isWanted: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isCancelled = false;

  /** `isWanted` is asked before each reload. */
  constructor(isWanted: () => boolean) {
    this.#isWanted = isWanted;
  }

  plan(): void {
    if (this.#isCancelled) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#isWanted()) this.#reload().catch(() => this.plan());
    }, EVERY_MS);
  }

  /** For good: the part is here. */
  cancel(): void {
    this.#isCancelled = true;
    clearTimeout(this.#timer);
  }

  async #reload(): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { ok } = await fetch(document.baseURI, { cache: 'no-store', signal });
    if (this.#isCancelled || !this.#isWanted()) return;
    if (ok) location.reload();
    else this.plan();
  }
}
