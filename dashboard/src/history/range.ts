// Reads a range of time from the gateway, for a chart's selection, "around this ±5 s" or a link to an old entry.
import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import { iso } from '../log/time.ts';
import { type EntryRow, GapRow, type Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { readHistory } from './page.ts';

const PAGE_LIMIT = 5_000;
/** Rows inserted before the view at most. */
const MAX_ROWS = 20_000;

/** All entries and gaps of a time that the log has, in order. Gaps that several pages report come once. */
export async function* readRange(
  session: Session,
  from: number,
  to: number,
): AsyncGenerator<EntryRow | GapRow> {
  const query = session.historyQuery();
  query.set('since', iso(from));
  query.set('until', iso(to));
  query.set('limit', String(PAGE_LIMIT));
  const reported = new ReportedGaps();
  for (;;) {
    const page = await readHistory(query, reported);
    yield* page.rows;
    if (page.done || page.next === undefined) return;
    query.delete('since');
    query.set('after', page.next);
  }
}

/**
 * Inserts entries that are older than the view before its first row, with a gap between the two; no entry is repeated.
 */
export async function fetchRange(session: Session, from: number, to: number): Promise<void> {
  const { buffer } = session;
  const known = new Set<string>();
  let oldest: EntryRow | undefined;
  for (let at = buffer.first; at < buffer.end; at++) {
    const row = buffer.get(at);
    if (row?.kind !== 'entry' || row.id === undefined) continue;
    oldest ??= row;
    known.add(row.id);
  }
  // Ranges go by the writer's clock, which may differ a little from the log's: one second is allowed for.
  if (oldest && from >= oldest.time + 1_000) return;
  const rows: Row[] = [];
  for await (const row of readRange(session, from, to)) {
    if (row.kind === 'entry' && row.id !== undefined && known.has(row.id)) break;
    rows.push(row);
    if (rows.length === MAX_ROWS) break;
  }
  const last = rows.findLast((row) => row.kind === 'entry');
  if (last?.kind !== 'entry') return;
  if (oldest) {
    rows.push(
      new GapRow({ reason: 'earlier', channel: null, after: last.id, before: oldest.id, missed: null }),
    );
  }
  buffer.insert(buffer.first, rows);
  buffer.expectEarlier();
  session.rearranged();
}
