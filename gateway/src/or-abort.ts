// Waits for a promise, but no longer than until a signal aborts. What has not settled by then goes on, and nobody waits for it.

/** Rejects with the signal's reason when it aborts first. A rejection that comes later is no unhandled one. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise
      .finally(() => signal.removeEventListener('abort', abort))
      .then(resolve)
      .catch(reject);
  });
}
