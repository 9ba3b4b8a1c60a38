// The texts of an entry that `q` searches: message, event, and attributes as JSON, in lower case. They are made once for all
// filters that search the same entry one after another.

import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';

/** Only the texts of the last entry are kept: kept on each record they would multiply the memory of the log (see `LogRecord.entry`). */
let last: { record: LogRecord; texts: readonly string[] } | undefined;

export function searchedTexts(record: LogRecord): readonly string[] {
  if (last?.record === record) return last.texts;
  const { msg, event = '', attrs } = record.entry;
  const texts = [msg, event, attrs ? JSON.stringify(attrs) : ''].map((text) => text.toLowerCase());
  last = { record, texts };
  return texts;
}
