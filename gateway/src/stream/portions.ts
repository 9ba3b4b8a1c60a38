// A page of the log over very many channels holds thousands of entries: looked at in portions, between which what is live
// goes on.

import { setImmediate } from 'node:timers/promises';

/** With a filter, which parses them, about a millisecond or two. */
const PORTION = 500;

export async function* portionsOf<T>(items: readonly T[]): AsyncGenerator<readonly T[], void, undefined> {
  for (let from = 0; from < items.length; from += PORTION) {
    if (from > 0) await setImmediate();
    yield items.slice(from, from + PORTION);
  }
}
