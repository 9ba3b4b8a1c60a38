// Which entries of its channels a view shows: a predicate that is made once for each view, and parses an entry only if it must.

import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { globMatcher } from '@llm-streamer/shared/channels.ts';
import { levelAtLeast } from '@llm-streamer/shared/entry.ts';
import type { Selection } from './query.ts';
import { searchedTexts } from './searched-texts.ts';

export type Filter = (record: LogRecord) => boolean;

/** null if the selection takes every entry of its channels. */
export function compileFilter({ level, source, run, q }: Selection): Filter | null {
  const tests: Filter[] = [];
  if (level !== undefined) tests.push(({ entry }) => levelAtLeast(entry.level, level));
  if (run !== undefined) tests.push(({ entry }) => entry.run === run);
  if (source !== undefined) {
    // Not a regular expression: one with many stars could take seconds for a single entry.
    const fits = globMatcher(source);
    tests.push(({ entry }) => fits(entry.source));
  }
  if (q !== undefined) {
    const needle = q.toLowerCase();
    tests.push((record) => searchedTexts(record).some((text) => text.includes(needle)));
  }
  if (tests.length === 0) return null;
  return (record) => tests.every((test) => test(record));
}
