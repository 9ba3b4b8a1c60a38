// Completion of the filter from what was seen: keys, sources, channels, runs, events and attribute names of the latest
// entries. Loaded when the filter is first typed in.
import { LEVELS } from '@llm-streamer/shared/entry.ts';
import type { LogBuffer } from '../stream/buffer.ts';
import type { EntryRow } from '../stream/row.ts';

export interface Completion {
  /** The stretch of the input that a value replaces. */
  start: number;
  end: number;
  values: string[];
}

const FIELDS = ['level', 'source', 'channel', 'run', 'event', 'msg'] as const;
/** Entries looked at, newest first; their attributes are parsed for one in so many. */
const REACH = 5_000;
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
  for (let i = 0; i < REACH && buffer.end - 1 - i >= buffer.first; i++) {
    const row = buffer.get(buffer.end - 1 - i);
    if (row?.kind === 'entry') for (const value of valuesOf(row, i)) values.add(value);
  }
  return values;
}
