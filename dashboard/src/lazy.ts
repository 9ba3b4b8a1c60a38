// Parts of the page that are loaded when first wanted. One that does not come (the gateway is away, or was updated under
// an old page) is said, never thrown, and asked for again: Chromium forgets a module that could not be fetched.
import { effect } from '@preact/signals';
import { link, say } from './state/store.ts';

/** Gives the part, loading it at most once; undefined where it could not be loaded. Never rejects. */
export type LazyModule<T> = () => Promise<T | undefined>;

/** `name`: what the reader is told is missing; without one, nothing is said. */
export function lazyModule<T>(load: () => Promise<T>, name?: string): LazyModule<T> {
  let loading: Promise<T | undefined> | undefined;
  return () => {
    loading ??= load().catch(() => {
      loading = undefined;
      askAgainForStyles();
      const why =
        link.value.state === 'live'
          ? 'reload the page if it is older than the gateway'
          : 'the gateway cannot be reached';
      if (name !== undefined) say(`${name} could not be loaded: ${why}`);
      return undefined;
    });
    return loading;
  };
}

/** Calls `mount` once, when the part is first wanted; while it does not come, each change of the link tries again. */
export function whenWanted<T>(isWanted: () => boolean, load: LazyModule<T>, mount: (part: T) => void): void {
  let isMounted = false;
  const stop = effect(() => {
    // Read for its changes alone.
    void link.value;
    if (!isWanted()) return;
    load()
      .then((loaded) => {
        if (loaded === undefined || isMounted) return;
        isMounted = true;
        stop();
        mount(loaded);
      })
      .catch(reportError);
  });
}

// The bundler asks for a part's style sheet once only: one that failed would be missing for good.
function askAgainForStyles(): void {
  for (const style of document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')) {
    if (style.sheet === null) style.replaceWith(style.cloneNode());
  }
}
