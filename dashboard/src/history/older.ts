// Shows older entries: a range of time, or the entry that a link names. This module is loaded when first used.
import type { Viewport } from '../log/viewport.ts';
import { cursorRow, showNotice, updateView, viewState } from '../state/store.ts';
import type { EntryRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { fetchRange } from './range.ts';

/** The time that is fetched before and after an entry that a link names. */
const AROUND_MS = 5_000;

/** Where older entries go, and where they are shown. */
export interface Place {
  session: Session;
  viewport: Viewport;
}

export function showRange({ session, viewport }: Place, from: number, to: number, reveal?: Row): void {
  updateView({ range: { from, to }, ...(reveal && { q: '', level: '' }) });
  if (reveal) cursorRow.value = reveal;
  viewport.hold();
  fetchOrNotice(session, from, to)
    .then(() => viewport.whenBuilt(() => (reveal ? viewport.reveal(reveal) : viewport.top())))
    .catch(reportError);
}

/** If the page does not have the entry, the entries around it are fetched first. */
export async function goToLink({ session, viewport }: Place, show: (row: EntryRow) => void): Promise<void> {
  const { at, range } = viewState.value;
  if (range) await fetchOrNotice(session, range.from, range.to);
  if (at === '') return;
  const ms = Number.parseInt(at, 10);
  if (!find(session, at) && ms > 0) await fetchOrNotice(session, ms - AROUND_MS, ms + AROUND_MS);
  const row = find(session, at);
  // Rows that were just fetched are in the list after the next rebuild.
  if (row) viewport.whenBuilt(() => show(row));
  else showNotice('the entry of this link is no longer in the log');
}

function find({ buffer }: Session, id: string): EntryRow | undefined {
  for (let place = buffer.end - 1; place >= buffer.first; place--) {
    const row = buffer.get(place);
    if (row?.kind === 'entry' && row.id === id) return row;
  }
  return undefined;
}

/** Shows a failure as a notice, in the server's words if there are any. */
async function fetchOrNotice(session: Session, from: number, to: number): Promise<void> {
  try {
    await fetchRange(session, from, to);
  } catch (error) {
    showNotice(error instanceof Error ? error.message : 'that failed');
  }
}
