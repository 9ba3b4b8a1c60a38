// Which run a row belongs to, as the picture and its links name it: `<run>`, or `<owner>/<run>` where its channel names the owner.
import { ATTRS } from '@llm-streamer/shared/gen-ai.ts';
import { ownedKey, ownerOfEvents, runOfChannel } from '@llm-streamer/shared/ownership.ts';
import type { EntryRow } from '../stream/row.ts';

/** Undefined for a row of no run; a trace counts as one. */
export function runKeyOf(row: EntryRow): string | undefined {
  const key = runOfChannel(row.channel);
  if (key !== undefined) return key;
  const trace = row.run ?? row.attrs()[ATTRS.trace];
  return typeof trace === 'string' && trace !== ''
    ? ownedKey(ownerOfEvents(row.channel), trace.slice(0, 200))
    : undefined;
}
