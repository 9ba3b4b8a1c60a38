// Reads the past from the gateway: what fills a gap, what stands before the view, what a time range holds.
import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { GapData } from '@llm-streamer/shared/stream-events.ts';
import { EntryRow, type GapRow, gapRow } from '../stream/row.ts';
import { isUnreported } from '../stream/unreported-gap.ts';

export interface HistoryPage {
  rows: (EntryRow | GapRow)[];
  entries: number;
  next: string | undefined;
  done: boolean;
}

/** Asks `api/entries`; rejects with the server's own words. `told`: of the pages before, if any. */
export async function readHistory(query: URLSearchParams, told = new ReportedGaps()): Promise<HistoryPage> {
  const response = await fetch(new URL(`api/entries?${query}`, document.baseURI), {
    headers: { Accept: 'application/json' },
  });
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (!response.ok) throw new Error(String(body.detail ?? body.title ?? `HTTP ${response.status}`));
  const entries = Array.isArray(body.entries) ? (body.entries as Record<string, unknown>[]) : [];
  const gaps = Array.isArray(body.gaps) ? (body.gaps as Partial<GapData>[]) : [];
  const rows: (EntryRow | GapRow)[] = entries.map((entry) => new EntryRow(JSON.stringify(entry), entry));
  for (const gap of gaps) if (isUnreported(gap, told)) place(rows, gapRow(gap));
  return {
    rows,
    entries: entries.length,
    next: typeof body.next === 'string' ? body.next : undefined,
    done: body.done !== false,
  };
}

// A gap stands before the first entry that follows it.
function place(rows: (EntryRow | GapRow)[], gap: GapRow): void {
  const before = Number(gap.before?.split('-')[1] ?? 0);
  const index = rows.findIndex((row) => row.kind === 'entry' && row.n >= before);
  rows.splice(index < 0 ? rows.length : index, 0, gap);
}
