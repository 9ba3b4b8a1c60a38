// Which one goes where there are too many of them.

/** The one heard longest ago of those that may go, or of all where none may; undefined where there are none. */
export function oldestOf<T extends { lastAt: number }>(
  all: Iterable<T>,
  mayGo: (one: T) => boolean,
): T | undefined {
  let oldest: T | undefined;
  let isFree = false;
  for (const one of all) {
    const isOlder = !oldest || one.lastAt < oldest.lastAt;
    const goes = mayGo(one);
    if (isFree ? goes && isOlder : goes || isOlder) oldest = one;
    isFree ||= goes;
  }
  return oldest;
}
