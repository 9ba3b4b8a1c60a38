// Describes a gap for the reader: how many entries, why they are missing, from when to when.
import type { GapReason } from '@llm-streamer/shared/broker/broker.ts';
import type { GapRow } from '../stream/row.ts';

/** The reasons that the page itself gives; all others come from the gateway. */
type PageReason = 'reconnect' | 'transit' | 'evicted' | 'earlier';

/** The words for each reason. A gateway that is newer than the page may send a reason that is not among them. */
const REASONS: Readonly<Record<GapReason | PageReason, string>> & Readonly<Record<string, string>> = {
  reconnect: 'missed while reconnecting',
  transit: 'lost on the way: the gateway sent more than arrived',
  trimmed: 'trimmed: the channel keeps no more',
  expired: 'expired: the channel was idle too long',
  reset: 'the log was wiped or replaced',
  rollback: 'the log went back: a failover or restore lost its end',
  scan_limit: 'the search of history stopped at its bound',
  not_stored: 'shown live only and never stored',
  evicted: 'evicted from this page',
  earlier: 'older than what this page loaded',
};

export function describeGap(gap: GapRow): string {
  const ends = new Set([clock(gap.after), clock(gap.before)].filter((text) => text !== ''));
  const range = [...ends].join(' – ');
  const parts = [countOf(gap), REASONS[gap.reason] ?? gap.reason, range, gap.note];
  return parts.filter((part) => part !== '').join(' · ');
}

function countOf({ missed, reason }: GapRow): string {
  if (missed !== null) return `${missed.toLocaleString('en')} ${missed === 1 ? 'entry' : 'entries'}`;
  return reason === 'earlier' ? 'entries' : 'an unknown number of entries';
}

function clock(position: string | undefined): string {
  const ms = Number(position?.split('-')[0]);
  return ms > 0 ? new Date(ms).toISOString().slice(11, 23) : '';
}
