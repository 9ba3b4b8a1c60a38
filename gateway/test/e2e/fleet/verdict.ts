// Compares what every viewer received with what the log acknowledged to the writers.

import type { RecordingViewer } from './viewer.ts';
import type { Acknowledged } from './writer.ts';

export interface Verdict {
  entries: number;
  reconnects: number;
  /** Connections that were compressed with gzip. */
  compressed: number;
  /** Entries that a viewer should have received, and has not. */
  missing: number;
  /** How many of these a gap has reported. */
  explained: number;
  duplicates: number;
  disordered: number;
  gaps: number;
  /** Gaps in whose range nothing is missing. */
  falseGaps: number;
  /** The longest time for which a viewer that wanted to listen got no entry. */
  longestStallMs: number;
  ledgerFaults: number;
  details: string[];
}

export function judge(viewers: readonly RecordingViewer[], acknowledged: readonly Acknowledged[]): Verdict {
  const numbers = new Map<string, number>();
  for (const { entries } of viewers)
    for (const { channel, k, n } of entries) numbers.set(`${channel} ${k}`, n);
  const verdict: Verdict = {
    entries: acknowledged.length,
    reconnects: 0,
    compressed: 0,
    missing: 0,
    explained: 0,
    duplicates: 0,
    disordered: 0,
    gaps: 0,
    falseGaps: 0,
    longestStallMs: Math.max(0, ...viewers.map(({ longestStallMs }) => longestStallMs)),
    ledgerFaults: 0,
    details: [],
  };
  for (const viewer of viewers) {
    const { channels, entries, gaps, start = 0 } = viewer;
    verdict.reconnects += viewer.reconnects;
    verdict.compressed += viewer.compressed;
    verdict.gaps += gaps.length;
    verdict.ledgerFaults += viewer.ledger.length;
    verdict.details.push(...viewer.ledger);
    const seen = new Map<string, number>();
    // An entry that the log lost before it acknowledged it is written again by its writer.
    const rolledBack = (channel: string, n: number) =>
      gaps.some((gap) => gap.reason === 'rollback' && covers(gap, channel, n));
    let last = 0;
    for (const { channel, k, n } of entries) {
      const key = `${channel} ${k}`;
      const before = seen.get(key);
      if (before !== undefined && !(before !== n && rolledBack(channel, before))) {
        verdict.duplicates++;
        verdict.details.push(`twice: ${key} (${n})`);
      } else if (n < last) {
        verdict.disordered++;
        verdict.details.push(`out of order: ${key} (${n} after ${last})`);
      }
      seen.set(key, n);
      last = Math.max(last, n);
    }
    const missing = acknowledged
      .filter(({ channel, k }) => channels.includes(channel) && !seen.has(`${channel} ${k}`))
      .map(({ channel, k, n }) => ({ channel, k, n: n ?? numbers.get(`${channel} ${k}`) ?? 0 }))
      .filter(({ n }) => n > start);
    verdict.missing += missing.length;
    for (const { channel, k, n } of missing) {
      const named = gaps.some((gap) => covers(gap, channel, n));
      if (named) verdict.explained++;
      else
        verdict.details.push(
          `missing: ${channel} ${k} (${n}), viewer began at ${start}, cursor ${viewer.cursor}`,
        );
    }
    for (const gap of gaps) {
      // A rollback reports entries that the log has lost, even if this viewer has received them.
      const lost = acknowledged.some(
        (entry) => channels.includes(entry.channel) && covers(gap, entry.channel, entry.n ?? 0),
      );
      if (gap.reason === 'rollback' && lost) continue;
      if (missing.some(({ channel, n }) => covers(gap, channel, n))) continue;
      verdict.falseGaps++;
      verdict.details.push(`gap names nothing: ${JSON.stringify(gap)}`);
    }
  }
  return verdict;
}

function covers(
  gap: { channel: string | null; after: number; before: number },
  channel: string,
  n: number,
): boolean {
  return (gap.channel === null || gap.channel === channel) && gap.after < n && n < gap.before;
}
