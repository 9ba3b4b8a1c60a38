// Joins requests for the same work: one is done at a time, and however many ask meanwhile, it is done once more after that. So whoever asks
// gets a work that began after he asked.

export function joined(work: () => Promise<void>): () => Promise<void> {
  let doing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    doing = work().finally(() => {
      doing = undefined;
    });
    return doing;
  };
  return () => {
    if (doing === undefined) return begin();
    next ??= doing
      .catch(() => undefined) // who asked for that one hears of it
      .then(() => {
        next = undefined;
        return doing ?? begin();
      });
    return next;
  };
}
