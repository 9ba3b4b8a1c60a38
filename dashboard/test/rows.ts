// Entries for tests, as the gateway would send them.
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
  if (!row) throw new Error('an entry that is none');
  return row;
}

export function delta(run: string, msg: string, tokens = 1): EntryRow {
  return entry({ event: 'generation.delta', run, msg, attrs: { lane: 'llm-1', tokens } });
}
