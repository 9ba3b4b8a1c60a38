// Fetches what a gap lacks and puts it in its place, as far as the log still has it. Loaded with the first click.
import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import type { GapRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { type HistoryPage, readHistory } from './page.ts';

const LOAD_LIMIT = 5_000;
const EARLIER_LIMIT = 1_000;
const FULL = 'this page has no room for more of it';

export async function loadGap(session: Session, gap: GapRow): Promise<void> {
  if (gap.loading) return;
  gap.loading = true;
  session.rearranged();
  try {
    if (gap === session.buffer.head) await loadEarlier(session, gap);
    else await fill(session, gap);
  } catch (error) {
    gap.note = error instanceof Error ? error.message : 'could not be loaded';
  } finally {
    gap.loading = false;
    session.rearranged();
  }
}

/** What stands before the oldest row, a page at a time. */
async function loadEarlier(session: Session, head: GapRow): Promise<void> {
  const { buffer } = session;
  const before = buffer.oldestId;
  const query = session.historyQuery();
  if (before !== undefined) query.set('before', before);
  query.set('limit', String(EARLIER_LIMIT));
  const { rows, entries, done } = await readHistory(query);
  // Meanwhile the view may have begun anew, or lost its oldest rows.
  if (buffer.head !== head || buffer.oldestId !== before) return;
  const placed = buffer.insert(buffer.first, rows);
  buffer.evicted = Math.max(0, buffer.evicted - entriesIn(placed));
  head.missed = head.reason === 'evicted' ? buffer.evicted : null;
  if (entries === 0) head.note = 'the log holds nothing earlier';
  else if (placed.length < rows.length) head.note = FULL;
  // All of it is here: no gap any more.
  else if (done && head.reason === 'earlier') buffer.head = undefined;
}

async function fill(session: Session, gap: GapRow): Promise<void> {
  const { buffer, ledger } = session;
  const query = session.historyQuery();
  if (gap.channel !== null) query.set('channels', gap.channel);
  if (gap.after !== undefined) query.set('after', gap.after);
  if (gap.before !== undefined) query.set('before', gap.before);
  query.set('limit', String(LOAD_LIMIT));
  const page = await readHistory(query);
  if (buffer.get(gap.at) !== gap) return;
  const have = idsBefore(session, gap);
  const rows = page.rows.filter((row) =>
    row.kind === 'entry' ? row.id === undefined || !have.has(row.id) : page.done || endsIn(page, row),
  );
  const gapsFound = rows.filter((row) => row.kind === 'gap');
  if (entriesIn(rows) === 0 && gapsFound.length > 0) {
    // The log has nothing of it either: one gap stays, and says so.
    ledger.resizeGap(gap, gap.missed ?? sum(gapsFound));
    gap.note = `gone from the log (${gapsFound[0]?.reason})`;
    return;
  }
  // What there is no room for stays in the gap, which begins behind what was put in.
  const placed = rows.slice(0, buffer.room);
  const isWhole = placed.length === rows.length;
  const gaps = placed.filter((row) => row.kind === 'gap');
  buffer.insert(gap.at, placed);
  for (const each of gaps) ledger.countGap(each);
  const rest = gap.missed === null ? null : Math.max(0, gap.missed - entriesIn(placed) - (sum(gaps) ?? 0));
  const isDone = page.done && isWhole;
  ledger.resizeGap(gap, isDone ? (rest ?? 0) : rest);
  gap.note = isDone ? 'the log holds no more of it' : isWhole ? '' : FULL;
  const next = isWhole ? page.next : placed.findLast((row) => row.kind === 'entry')?.id;
  if (next !== undefined) gap.after = next;
  if (isDone && gap.missed === 0) buffer.remove(gap.at);
}

/** The page behind this one tells again of a gap that reaches beyond it. */
function endsIn({ next = '' }: HistoryPage, { before = '' }: GapRow): boolean {
  return (parsePosition(before) ?? 0) - 1 <= (parsePosition(next) ?? 0);
}

function entriesIn(rows: readonly Row[]): number {
  return rows.filter((row) => row.kind === 'entry').length;
}

// Ids in the gap's range that the view already has: a gap found by counting lies somewhere among known entries.
function idsBefore({ buffer }: Session, gap: GapRow): Set<string> {
  const after = Number(gap.after?.split('-')[1] ?? 0);
  const ids = new Set<string>();
  for (let at = gap.at - 1; at >= buffer.first; at--) {
    const row = buffer.get(at);
    if (row?.kind !== 'entry' || row.id === undefined) continue;
    if (row.n <= after) break;
    ids.add(row.id);
  }
  return ids;
}

/** null as soon as one is not known. */
function sum(gaps: readonly GapRow[]): number | null {
  return gaps.reduce(
    (total: number | null, { missed }) => (total === null || missed === null ? null : total + missed),
    0,
  );
}
