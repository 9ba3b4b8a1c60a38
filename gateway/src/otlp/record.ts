// What a record of a request becomes: entries, or a reason why there is none.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import type { Attributes } from './values.ts';

export interface Mapped {
  entries: readonly EntryFields[];
  /** Whether the client itself says when it was: then the same bytes are the same record. */
  timed: boolean;
}

export interface MapOptions {
  now: number;
  /** Whether texts of people and models are shown (LOG_CONTENT). */
  content: boolean;
}

/** Attributes in order, later ones winning, without those that are undefined. */
export function merged(
  ...all: (Attributes | Iterable<readonly [string, unknown]>)[]
): Record<string, unknown> {
  return Object.fromEntries(all.flatMap((one) => [...one]).filter(([, value]) => value !== undefined));
}
