// Modules that are loaded when they are first needed. A load that fails gives undefined, never an exception, and the
// next request tries again: Chromium does not remember a module that it could not fetch.

/** Gives the module, loading it at most once; undefined where it could not be loaded. Never rejects. */
export type LazyModule<T> = () => Promise<T | undefined>;

/** `onFailure` is called each time that a load fails, for example while the gateway is away. */
export function lazyModule<T>(load: () => Promise<T>, onFailure?: () => void): LazyModule<T> {
  let loading: Promise<T | undefined> | undefined;
  return () => {
    loading ??= load().catch(() => {
      loading = undefined;
      onFailure?.();
      return undefined;
    });
    return loading;
  };
}
