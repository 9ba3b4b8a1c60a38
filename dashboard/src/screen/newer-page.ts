// Loads the page anew when the gateway has come back with a newer one, where it may: whoever could do that by hand is not there. The files of
// the old page are gone then, so what it has not loaded yet it never will.
import { effect, untracked } from '@preact/signals';
import { streamState } from '../state/store.ts';

const SCRIPT = /assets\/index-[\w-]+\.js/;
const RELOADED = 'llm-streamer.reloaded';
/** Behind a balancer old and new gateways may answer in turn: for each page it is loaded once in this time. */
const AGAIN_MS = 60 * 60_000;

/** An answer that takes longer is none. */
const PATIENCE_MS = 10_000;

export class NewerPage {
  readonly #own = SCRIPT.exec(
    document.querySelector<HTMLScriptElement>('script[type=module]')?.src ?? '',
  )?.[0];
  readonly #mayReload: () => boolean;
  #isAsking = false;
  /** Whether the stream has come back meanwhile. */
  #hasComeBack = false;

  /** It asks each time that the stream is live again, and where a part of the page could not be loaded. */
  constructor(mayReload: () => boolean) {
    this.#mayReload = mayReload;
    effect(() => {
      const stream = streamState.value;
      const isDue = stream.state === 'live' || ('code' in stream && stream.code === 'not_loaded');
      if (isDue) untracked(() => this.#ask());
    });
  }

  #ask(): void {
    this.#hasComeBack = true;
    if (this.#isAsking || this.#own === undefined || !this.#mayReload()) return;
    this.#hasComeBack = false;
    this.#isAsking = true;
    this.#reloadIfNewer()
      .finally(() => {
        this.#isAsking = false;
        // The answer may have come from the old gateway.
        if (this.#hasComeBack) this.#ask();
      })
      .catch(() => undefined); // the gateway is away: the next stream asks again
  }

  async #reloadIfNewer(): Promise<void> {
    const response = await fetch(new URL('.', document.baseURI), {
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const offered = SCRIPT.exec(await response.text())?.[0];
    if (!response.ok || offered === undefined || offered === this.#own) return;
    const before: Record<string, number> = JSON.parse(sessionStorage.getItem(RELOADED) ?? '{}');
    if (Date.now() - (before[offered] ?? 0) < AGAIN_MS) return;
    sessionStorage.setItem(RELOADED, JSON.stringify({ ...before, [offered]: Date.now() }));
    location.reload();
  }
}
