// Mounts what is loaded later, such as a panel, and shows a notice when it could not be loaded.
import { effect } from '@preact/signals';
import type { LazyModule } from '../lazy.ts';
import { showNotice, streamState } from './store.ts';

/** Shows a notice that `name` is missing: for `lazyModule`, to call when a load fails. */
export function noticeMissing(name: string): () => void {
  return () => {
    const why =
      streamState.value.state === 'live'
        ? 'reload the page if it is older than the gateway'
        : 'the gateway cannot be reached';
    showNotice(`${name} could not be loaded: ${why}`);
  };
}

/**
 * Calls `mount` once, when the module is first wanted. While it cannot be loaded, each change of the stream tries
 * again.
 */
export function whenWanted<T>(
  isWanted: () => boolean,
  load: LazyModule<T>,
  mount: (loaded: T) => void,
): void {
  let isMounted = false;
  const stop = effect(() => {
    // The value is not used: reading it makes this effect run again when the stream's state changes.
    void streamState.value;
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
