// Reads one page of history from the gateway: its entries and gaps in the order of the log, without the gaps that pages
// before it reported.
import type { EntriesPage, Problem } from '@llm-streamer/shared/api-types.ts';
import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { GapData } from '@llm-streamer/shared/stream-events.ts';
import { EntryRow, type GapRow, gapRow } from '../stream/row.ts';
import { isUnreported } from '../stream/unreported-gap.ts';

/** The values may be anything: an error page of a proxy is JSON, too. */
type Answer = Partial<Record<keyof (EntriesPage & Problem), unknown>>;

export interface HistoryPage {
  rows: (EntryRow | GapRow)[];
  entries: number;
  next: string | undefined;
  done: boolean;
}

/**
 * Reads `api/entries`; rejects with the server's own sentence, and the status as its cause. `reported` holds the gaps of the pages before this one.
 */
export async function readHistory(
  query: URLSearchParams,
  reported = new ReportedGaps(),
): Promise<HistoryPage> {
  const response = await fetch(new URL(`api/entries?${query}`, document.baseURI), {
    headers: { Accept: 'application/json' },
    cache: 'no-store', // nothing of it stays in the browser after the person has left
  });
  const body = (await response.json().catch(() => ({}))) as Answer;
  if (!response.ok) {
    const why = String(body.detail ?? body.title ?? `HTTP ${response.status}`);
    throw new Error(why, { cause: response.status });
  }
  const entries = Array.isArray(body.entries) ? (body.entries as Record<string, unknown>[]) : [];
  const gaps = Array.isArray(body.gaps) ? (body.gaps as Partial<GapData>[]) : [];
  const rows: (EntryRow | GapRow)[] = entries.map((entry) => new EntryRow(JSON.stringify(entry), entry));
  for (const gap of gaps) if (isUnreported(gap, reported)) insertGap(rows, gapRow(gap));
  return {
    rows,
    entries: entries.length,
    next: typeof body.next === 'string' ? body.next : undefined,
    done: body.done !== false,
  };
}

/** The first page, before it is known how large entries are. */
export const FIRST_LIMIT = 50;
/** A page of more bytes, with what is made of it, would hold the page for longer than 50 ms. */
const PAGE_BYTES = 500_000;
const MAX_LIMIT = 1_000;

/** How many entries the next page may have, by the size of those of the last one. */
export function nextLimit(rows: readonly EntryRow[]): number {
  const bytes = rows.reduce((sum, { raw }) => sum + raw.length, 0);
  const fitting = rows.length === 0 ? MAX_LIMIT : Math.floor((PAGE_BYTES * rows.length) / bytes);
  return Math.max(FIRST_LIMIT, Math.min(MAX_LIMIT, fitting));
}

// A gap stands before the first entry after it.
function insertGap(rows: (EntryRow | GapRow)[], gap: GapRow): void {
  const before = parsePosition(gap.before ?? '') ?? 0;
  const index = rows.findIndex((row) => row.kind === 'entry' && row.n >= before);
  rows.splice(index < 0 ? rows.length : index, 0, gap);
}
