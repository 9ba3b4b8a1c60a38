// Binary search, for lists that are too long to be looked through at each entry.

/** The first index from `low` on, and before `high`, that `isBefore` is false for; `high` where there is none. Those before it come first. */
export function lowerBound(low: number, high: number, isBefore: (index: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (isBefore(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
}
