// Rules for tests, through the file's own parser; and entries as the log gives them.

import { LogRecord, writeHead } from '@llm-streamer/shared/broker/record.ts';
import { draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import type { Seen } from '../../src/rules/detector.ts';
import { parseRules, type RuleSet } from '../../src/rules/rules-file.ts';

/** Each rule is on `logs*` and called `r1`, `r2`, … unless it says otherwise. */
export function ruleSet(rules: object[], destinations: object = {}): RuleSet {
  const named = rules.map((rule, i) => ({ name: `r${i + 1}`, channels: ['logs*'], ...rule }));
  return parseRules(JSON.stringify({ rules: named, destinations }));
}

/** A record at `ms` of the log's clock. */
export function record(ms: number, msg: string, more: Partial<EntryFields> = {}): LogRecord {
  const fields = { time: ms, channel: 'logs', source: 'test', level: 'info', msg, ...more } as EntryFields;
  const n = ms * 1_000;
  const { body } = draft(fields);
  return new LogRecord(fields.channel, Buffer.from(`${writeHead(n, 'abcdefgh', 0)}${body.slice(1)}`), {
    n,
    prev: 0,
  });
}

export function seenOf(one: LogRecord): Seen {
  return { entry: one.entry, n: one.n, id: one.id ?? '', at: Math.floor(one.n / 1_000) };
}
