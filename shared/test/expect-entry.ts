// Compares an entry with what a line of the corpus must become, whichever way it came in.
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

/** `year` is for a time that names none; that it is the right one is a claim of its own. */
function epoch(time: string, year: number): number {
  return Date.parse(/^\d{4}/.test(time) ? time : `${year}-${time}`);
}
