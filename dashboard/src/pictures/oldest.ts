// Which item to drop where there are too many.

/** The one heard longest ago of those that may go, or of all where none may; undefined where there are none. */
export function oldestOf<T extends { lastAt: number }>(
  all: Iterable<T>,
  mayGo: (one: T) => boolean,
): T | undefined {
  let oldest: T | undefined;
  let hasCandidate = false;
  for (const one of all) {
    const isOlder = !oldest || one.lastAt < oldest.lastAt;
    const goes = mayGo(one);
    if (hasCandidate ? goes && isOlder : goes || isOlder) oldest = one;
    hasCandidate ||= goes;
  }
  return oldest;
}
