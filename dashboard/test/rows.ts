// Entries for tests, in the form in which the gateway sends them.
import { type EntryRow, parseEntry } from '../src/stream/row.ts';

let n = 1_000;

export function entry(fields: Record<string, unknown> = {}): EntryRow {
  n++;
  const whole = {
    id: `1-${n}`,
    time: n,
    channel: 'logs',
    source: 'test',
    level: 'info',
    msg: `message ${n}`,
    ...fields,
  };
  const row = parseEntry(JSON.stringify(whole));
  if (!row) throw new Error('not an entry');
  return row;
}

export function delta(run: string, msg: string, tokens = 1): EntryRow {
  return entry({ event: 'generation.delta', run, msg, attrs: { lane: 'llm-1', tokens } });
}
