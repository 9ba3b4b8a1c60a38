// A stretch of time from the server: what a chart's selection, "around this" or a link to an old entry asks for.
import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import { iso } from '../log/time.ts';
import { type EntryRow, GapRow, type Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { readHistory } from './page.ts';

const PAGE = 5_000;
/** What is put in front of the view at most. */
const MAX_ROWS = 20_000;

/** All that the log holds of a time, in order, page by page. */
export async function* readRange(
  session: Session,
  from: number,
  to: number,
): AsyncGenerator<EntryRow | GapRow> {
  const query = session.historyQuery();
  query.set('since', iso(from));
  query.set('until', iso(to));
  query.set('limit', String(PAGE));
  const told = new ReportedGaps();
  for (;;) {
    const page = await readHistory(query, told);
    yield* page.rows;
    if (page.done || page.next === undefined) return;
    query.delete('since');
    query.set('after', page.next);
  }
}

/** Puts what lies before the view's own entries in front of them, with a gap between; nothing is repeated. */
export async function fetchRange(session: Session, from: number, to: number): Promise<void> {
  const { buffer } = session;
  const have = new Set<string>();
  let oldest: EntryRow | undefined;
  for (let at = buffer.first; at < buffer.end; at++) {
    const row = buffer.get(at);
    if (row?.kind !== 'entry' || row.id === undefined) continue;
    oldest ??= row;
    have.add(row.id);
  }
  // The writer's clock, by which ranges go, may differ a little from the log's.
  if (oldest && from >= oldest.time + 1_000) return;
  const rows: Row[] = [];
  let isWhole = true;
  for await (const row of readRange(session, from, to)) {
    if (row.kind === 'entry' && row.id !== undefined && have.has(row.id)) break;
    rows.push(row);
    isWhole = rows.length < MAX_ROWS;
    if (!isWhole) break;
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
