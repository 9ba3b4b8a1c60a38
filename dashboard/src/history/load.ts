// Loads the entries of a gap into its place, as far as the log still has them. The page loads this module at the first click on a gap.
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
    else await fillGap(session, gap);
  } catch (error) {
    gap.note = error instanceof Error ? error.message : 'could not be loaded';
  } finally {
    gap.loading = false;
    session.rearranged();
  }
}

/** Loads one page of the entries before the oldest row. */
async function loadEarlier(session: Session, head: GapRow): Promise<void> {
  const { buffer } = session;
  const before = buffer.oldestId;
  const query = session.historyQuery();
  if (before !== undefined) query.set('before', before);
  query.set('limit', String(EARLIER_LIMIT));
  const { rows, entries, done } = await readHistory(query);
  // While the request ran, a new view may have started, or the oldest rows may have been evicted.
  if (buffer.head !== head || buffer.oldestId !== before) return;
  const placed = buffer.insert(buffer.first, rows);
  buffer.evicted = Math.max(0, buffer.evicted - entriesIn(placed));
  head.missed = head.reason === 'evicted' ? buffer.evicted : null;
  if (entries === 0) head.note = 'the log holds nothing earlier';
  else if (placed.length < rows.length) head.note = FULL;
  // Everything before the view is loaded: the gap is gone.
  else if (done && head.reason === 'earlier') buffer.head = undefined;
}

async function fillGap(session: Session, gap: GapRow): Promise<void> {
  const { buffer, ledger } = session;
  const query = session.historyQuery();
  if (gap.channel !== null) query.set('channels', gap.channel);
  if (gap.after !== undefined) query.set('after', gap.after);
  if (gap.before !== undefined) query.set('before', gap.before);
  query.set('limit', String(LOAD_LIMIT));
  const page = await readHistory(query);
  if (buffer.get(gap.at) !== gap) return;
  const known = idsBefore(session, gap);
  const rows = page.rows.filter((row) =>
    row.kind === 'entry' ? row.id === undefined || !known.has(row.id) : page.done || endsIn(page, row),
  );
  const gapsFound = rows.filter((row) => row.kind === 'gap');
  if (entriesIn(rows) === 0 && gapsFound.length > 0) {
    // The log has no entry of the gap either: the gap stays, with the log's reason.
    ledger.resizeGap(gap, gap.missed ?? sum(gapsFound));
    gap.note = `gone from the log (${gapsFound[0]?.reason})`;
    return;
  }
  // Entries without room stay in the gap, which then begins after the last entry inserted.
  const placed = rows.slice(0, buffer.room);
  const hasRoom = placed.length === rows.length;
  const gaps = placed.filter((row) => row.kind === 'gap');
  buffer.insert(gap.at, placed);
  for (const each of gaps) ledger.countGap(each);
  const rest = gap.missed === null ? null : Math.max(0, gap.missed - entriesIn(placed) - (sum(gaps) ?? 0));
  const isDone = page.done && hasRoom;
  ledger.resizeGap(gap, isDone ? (rest ?? 0) : rest);
  gap.note = isDone ? 'the log holds no more of it' : hasRoom ? '' : FULL;
  const next = hasRoom ? page.next : placed.findLast((row) => row.kind === 'entry')?.id;
  if (next !== undefined) gap.after = next;
  if (isDone && gap.missed === 0) buffer.remove(gap.at);
}

/** Whether a gap ends within its page. If it does not, the next page reports it again. */
function endsIn({ next = '' }: HistoryPage, { before = '' }: GapRow): boolean {
  return (parsePosition(before) ?? 0) - 1 <= (parsePosition(next) ?? 0);
}

function entriesIn(rows: readonly Row[]): number {
  return rows.filter((row) => row.kind === 'entry').length;
}

// Ids after the gap's start that the page has already. The ledger finds some gaps by counting, and the range of such a gap also
// contains entries that did arrive: of 101 to 110 only one may be missing.
function idsBefore({ buffer }: Session, gap: GapRow): Set<string> {
  const after = parsePosition(gap.after ?? '') ?? 0;
  const ids = new Set<string>();
  for (let at = gap.at - 1; at >= buffer.first; at--) {
    const row = buffer.get(at);
    if (row?.kind !== 'entry' || row.id === undefined) continue;
    if (row.n <= after) break;
    ids.add(row.id);
  }
  return ids;
}

/** How many entries several gaps have together; null when the size of any gap is unknown. */
function sum(gaps: readonly GapRow[]): number | null {
  return gaps.reduce(
    (total: number | null, { missed }) => (total === null || missed === null ? null : total + missed),
    0,
  );
}
