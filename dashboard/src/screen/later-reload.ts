// Reloads a second screen whose code could not be loaded, since nobody is there to do it: during an upgrade another gateway may answer than
// the one that served the page. It waits for an answer, because a failed reload would leave the browser on its error page.

const EVERY_MS = 30_000;

export class LaterReload {
  readonly #isWanted: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `isWanted` is asked before each reload. */
  constructor(isWanted: () => boolean) {
    this.#isWanted = isWanted;
  }

  plan(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#isWanted()) this.#reload().catch(() => this.plan());
    }, EVERY_MS);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #reload(): Promise<void> {
    const { ok } = await fetch(document.baseURI, { cache: 'no-store' });
    if (ok) location.reload();
    else this.plan();
  }
}
