// Waits for a promise, but only until a deadline: what has not settled by then goes on, and nobody waits for it.

/** Resolves when `promise` is fulfilled or rejected, or after `deadlineMs`. It never rejects, and leaves no timer behind. */
export async function settledWithin(promise: Promise<unknown>, deadlineMs: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, deadlineMs);
  await Promise.race([promise.catch(() => undefined), late.promise]);
  clearTimeout(timer);
}
