// Writes an entry as one line for a model: time, level, channel, source, event, message, attributes, run and id. JSON would
// repeat each name in each line.

import type { Entry } from '@llm-streamer/shared/entry.ts';
import { plainText } from './plain-text.ts';

const MAX_LABEL = 200;
const MAX_MSG = 1_500;
const MAX_ATTRS = 500;
/** The last time that a Date can hold. */
const MAX_TIME = 8.64e15;

export function entryLine({ time, level, channel, source, event, msg, attrs, run, id }: Entry): string {
  const parts = [timeText(time), level, channel, plainText(source, MAX_LABEL)];
  if (event !== undefined) parts.push(`[${plainText(event, MAX_LABEL)}]`);
  parts.push(plainText(msg, MAX_MSG));
  if (attrs !== undefined) parts.push(plainText(JSON.stringify(attrs), MAX_ATTRS));
  if (run !== undefined) parts.push(`run=${plainText(run, MAX_LABEL)}`);
  parts.push(`#${id ?? 'not stored'}`);
  return parts.join(' ');
}

/** A writer may give any number as its time. */
export function timeText(time: number): string {
  return Math.abs(time) <= MAX_TIME ? new Date(time).toISOString() : `time ${time}`;
}
