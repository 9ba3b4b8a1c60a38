// What `q` searches of an entry: message, event, and attributes as JSON, in lower case. Made once for all who search the
// same entry one after another.

import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';

/** The last ones, for the reason that `LogRecord.entry` is not kept either. */
let last: { record: LogRecord; texts: readonly string[] } | undefined;

export function searchedTexts(record: LogRecord): readonly string[] {
  if (last?.record === record) return last.texts;
  const { msg, event = '', attrs } = record.entry;
  const texts = [msg, event, attrs ? JSON.stringify(attrs) : ''].map((text) => text.toLowerCase());
  last = { record, texts };
  return texts;
}
