// Completes words of the filter from the latest entries: keys, sources, channels, runs, events and attribute names.
// This module is loaded when the reader first types into the filter.
import { LEVELS } from '@llm-streamer/shared/entry.ts';
import type { LogBuffer } from '../stream/buffer.ts';
import type { EntryRow } from '../stream/row.ts';

export interface Completion {
  /** The part of the input that a value replaces, from `start` up to `end`. */
  start: number;
  end: number;
  values: string[];
}

const FIELDS = ['level', 'source', 'channel', 'run', 'event', 'msg'] as const;
/** Entries searched, newest first. */
const SEARCHED_ENTRIES = 5_000;
/** The attributes of every 16th entry are parsed, because parsing those of all 5,000 would delay the next key. */
const PARSE_EVERY = 16;
const OFFERED = 8;

export function complete(input: string, caret: number, buffer: LogBuffer): Completion | undefined {
  const start = input.lastIndexOf(' ', caret - 1) + 1;
  const word = input.slice(start, caret);
  const [, minus = '', key, value = ''] = /^(-?)(?:([a-z]+):)?(.*)$/s.exec(word) ?? [];
  const offer = (values: Iterable<string>, prefix: string) => {
    const wanted = value.toLowerCase();
    const found = [...values].filter(
      (each) => each.toLowerCase().includes(wanted) && each !== value && !/\s/.test(each),
    );
    return { start, end: caret, values: found.slice(0, OFFERED).map((each) => `${prefix}${each}`) };
  };
  if (key === 'level')
    return offer(
      LEVELS.map((level) => `${level}+`),
      `${minus}level:`,
    );
  if (key === 'source' || key === 'channel' || key === 'run' || key === 'event') {
    return offer(
      seen(buffer, (row) => (row[key] === undefined ? [] : [row[key]])),
      `${minus}${key}:`,
    );
  }
  if (key !== undefined || value === '') return undefined;
  const attributes = seen(buffer, (row, i) => (i % PARSE_EVERY === 0 ? Object.keys(row.attrs()) : []));
  return offer([...FIELDS.map((field) => `${field}:`), ...attributes], minus);
}

function seen(buffer: LogBuffer, valuesOf: (row: EntryRow, i: number) => string[]): Set<string> {
  const values = new Set<string>();
  for (let i = 0; i < SEARCHED_ENTRIES && buffer.end - 1 - i >= buffer.first; i++) {
    const row = buffer.get(buffer.end - 1 - i);
    if (row?.kind === 'entry') for (const value of valuesOf(row, i)) values.add(value);
  }
  return values;
}
