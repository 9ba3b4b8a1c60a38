// Writes a file of what is shown, or of a time range from the gateway: NDJSON with gaps and with times in UTC.

import type { RowList } from '../log/row-list.ts';
import { iso } from '../log/time.ts';
import { showNotice } from '../state/store.ts';
import type { ViewState } from '../state/view-state.ts';
import type { EntryRow, GapRow } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { readRange } from './range.ts';

/** Exports the rows of the list or, with a range, all entries of the range from the gateway; says what came of it. */
export async function exportLines(session: Session, list: RowList, range: ViewState['range']): Promise<void> {
  try {
    const lines = range ? await exportRange(session, range.from, range.to) : exportShown(list);
    showNotice(`${lines.toLocaleString('en')} lines exported`);
  } catch (error) {
    showNotice(error instanceof Error ? error.message : 'that failed');
  }
}

function exportShown(list: RowList): number {
  const rows: (EntryRow | GapRow)[] = [];
  for (let place = list.first; place < list.end; place++) {
    const item = list.get(place);
    if (item?.kind === 'fold') for (const row of item.rows) rows.push(row);
    else if (item?.kind === 'entry' || item?.kind === 'gap') rows.push(item);
  }
  // Folded entries stand where the log has them, among the others.
  return download(rows.sort((a, b) => a.at - b.at).map(exported));
}

async function exportRange(session: Session, from: number, to: number): Promise<number> {
  const lines: string[] = [];
  for await (const row of readRange(session, from, to)) lines.push(exported(row));
  return download(lines);
}

function exported(row: EntryRow | GapRow): string {
  if (row.kind === 'entry') return JSON.stringify({ ...row.json(), time: iso(row.time) });
  const { reason, after, before, missed, channel } = row;
  return JSON.stringify({ gap: { reason, channel, after, before, missed } });
}

function download(lines: readonly string[]): number {
  const text = lines.map((line) => `${line}\n`).join('');
  const url = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = `llm-streamer-${new Date().toISOString().replace(/[:.]/g, '-')}.ndjson`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return lines.length;
}
