// The event that a rule makes of an entry: the entry's own time, source, run and text, with what the expression has found in its
// attributes, and where it comes from.

import { type Draft, draft } from '@llm-streamer/shared/entry.ts';
import type { Hit, Seen } from './detector.ts';
import type { Emit } from './rules-file.ts';

/** Characters of the entry's text that the event repeats; the whole is one click away. */
const MAX_TEXT = 1_000;

export function eventDraft(
  { rule, groups }: Hit,
  emit: Emit,
  { entry, id }: Seen,
  entryBytes: number,
): Draft {
  return draft(
    {
      time: entry.time,
      channel: emit.channel,
      source: entry.source,
      level: emit.level ?? entry.level,
      msg: entry.msg.length > MAX_TEXT ? `${entry.msg.slice(0, MAX_TEXT)}…` : entry.msg,
      event: emit.event,
      ...(entry.run !== undefined && { run: entry.run }),
      attrs: { ...emit.attrs, ...groups, rule: rule.name, cause_channel: entry.channel, cause_id: id },
    },
    entryBytes,
  );
}
