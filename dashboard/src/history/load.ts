// Fetches what a hole lacks and puts it in its place, as far as the log still has it. Loaded with the first click.
import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import type { HoleRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { type HistoryPage, readHistory } from './page.ts';

const LOAD_LIMIT = 5_000;
const EARLIER_LIMIT = 1_000;
const FULL = 'this page has no room for more of it';

export async function loadHole(session: Session, hole: HoleRow): Promise<void> {
  if (hole.loading) return;
  hole.loading = true;
  session.rearranged();
  try {
    if (hole === session.buffer.head) await loadEarlier(session, hole);
    else await fill(session, hole);
  } catch (error) {
    hole.note = error instanceof Error ? error.message : 'could not be loaded';
  } finally {
    hole.loading = false;
    session.rearranged();
  }
}

/** What stands before the oldest row, a page at a time. */
async function loadEarlier(session: Session, head: HoleRow): Promise<void> {
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
  // All of it is here: no hole any more.
  else if (done && head.reason === 'earlier') buffer.head = undefined;
}

async function fill(session: Session, hole: HoleRow): Promise<void> {
  const { buffer, ledger } = session;
  const query = session.historyQuery();
  if (hole.channel !== null) query.set('channels', hole.channel);
  if (hole.after !== undefined) query.set('after', hole.after);
  if (hole.before !== undefined) query.set('before', hole.before);
  query.set('limit', String(LOAD_LIMIT));
  const page = await readHistory(query);
  if (buffer.get(hole.at) !== hole) return;
  const have = idsBefore(session, hole);
  const rows = page.rows.filter((row) =>
    row.kind === 'entry' ? row.id === undefined || !have.has(row.id) : page.done || endsIn(page, row),
  );
  const holesFound = rows.filter((row) => row.kind === 'hole');
  if (entriesIn(rows) === 0 && holesFound.length > 0) {
    // The log has nothing of it either: one hole stays, and says so.
    ledger.settle(hole, hole.missed ?? sum(holesFound));
    hole.note = `gone from the log (${holesFound[0]?.reason})`;
    return;
  }
  // What there is no room for stays in the hole, which begins behind what was put in.
  const placed = rows.slice(0, buffer.room);
  const isWhole = placed.length === rows.length;
  const holes = placed.filter((row) => row.kind === 'hole');
  buffer.insert(hole.at, placed);
  for (const each of holes) ledger.add(each);
  const rest = hole.missed === null ? null : Math.max(0, hole.missed - entriesIn(placed) - (sum(holes) ?? 0));
  const isDone = page.done && isWhole;
  ledger.settle(hole, isDone ? (rest ?? 0) : rest);
  hole.note = isDone ? 'the log holds no more of it' : isWhole ? '' : FULL;
  const next = isWhole ? page.next : placed.findLast((row) => row.kind === 'entry')?.id;
  if (next !== undefined) hole.after = next;
  if (isDone && hole.missed === 0) buffer.remove(hole.at);
}

/** The page behind this one tells again of a gap that reaches beyond it. */
function endsIn({ next = '' }: HistoryPage, { before = '' }: HoleRow): boolean {
  return (parsePosition(before) ?? 0) - 1 <= (parsePosition(next) ?? 0);
}

function entriesIn(rows: readonly Row[]): number {
  return rows.filter((row) => row.kind === 'entry').length;
}

// Ids in the hole's range that the view already has: a hole found by counting lies somewhere among known entries.
function idsBefore({ buffer }: Session, hole: HoleRow): Set<string> {
  const after = Number(hole.after?.split('-')[1] ?? 0);
  const ids = new Set<string>();
  for (let at = hole.at - 1; at >= buffer.first; at--) {
    const row = buffer.get(at);
    if (row?.kind !== 'entry' || row.id === undefined) continue;
    if (row.n <= after) break;
    ids.add(row.id);
  }
  return ids;
}

/** null as soon as one is not known. */
function sum(holes: readonly HoleRow[]): number | null {
  return holes.reduce(
    (total: number | null, { missed }) => (total === null || missed === null ? null : total + missed),
    0,
  );
}
