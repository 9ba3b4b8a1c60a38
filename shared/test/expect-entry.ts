// Compares an entry with what a line of the corpus must become, by whatever way it arrived.
import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { expect } from 'vitest';
import type { LogLine } from './log-lines.ts';

export function expectEntry(
  entry: EntryFields,
  { line, level, msg, time, source, event, attrs }: LogLine,
): void {
  expect({ level: entry.level, msg: entry.msg, event: entry.event }).toEqual({
    level,
    msg: msg ?? line,
    event,
  });
  if (source !== undefined) expect(entry.source).toBe(source);
  if (attrs !== undefined) expect(entry.attrs).toMatchObject(attrs);
  if (time !== undefined) expect(entry.time).toBe(epoch(time, new Date(entry.time).getFullYear()));
}

/** `year` is for a time without a year; log-lines.test.ts holds that such a time gets the right year. */
function epoch(time: string, year: number): number {
  return Date.parse(/^\d{4}/.test(time) ? time : `${year}-${time}`);
}
