// What entries have in common that are folded together.
import { EVENTS } from '@llm-streamer/shared/events.ts';
import type { EntryRow } from '../stream/row.ts';

/** A line of an access log: method and path without the query, and the status. */
const ACCESS = /"([A-Z]{3,7} [^\s"?]*)[^\s"]* HTTP\/[\d.]+" (\d{3})\b/;
/** Longer lines are no repeats: to compare and to remember them would cost too much. */
const MAX_ALIKE = 500;

/** What belongs to one generation, or to the numbers of one source, wherever it stands in the log. */
export function groupOf({ belongsTo, event, source }: EntryRow): string | undefined {
  return event === EVENTS.serverMetrics ? `\n${source}` : belongsTo;
}

/** Whether two lines that follow each other say the same, as calls of one path do that come from several clients. */
export function areAlike(one: EntryRow, other: EntryRow): boolean {
  return (
    one.level === other.level &&
    one.run === other.run &&
    other.event === undefined &&
    one.event === undefined &&
    one.msg.length <= MAX_ALIKE &&
    (one.msg === other.msg || (one.msg.includes(' HTTP/') && gistOf(one) === gistOf(other)))
  );
}

/** What the reader opens to see entries one by one that are folded. */
export function foldKeyOf(row: EntryRow): string {
  return groupOf(row) ?? `${row.source}\n${row.channel}\n${gistOf(row)}`;
}

function gistOf({ msg }: EntryRow): string {
  const text = msg.slice(0, MAX_ALIKE);
  const access = ACCESS.exec(text);
  return access ? `${access[1]} ${access[2]}` : text;
}
