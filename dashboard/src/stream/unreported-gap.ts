// Which gaps are new to the reader. Each page of history, and each resumed stream, reports the missing entries after
// its start, so the same trimmed entries are reported several times: they are counted and shown once.
import { type GapReason, mayOverlap } from '@llm-streamer/shared/broker/broker.ts';
import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import type { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { GapData } from '@llm-streamer/shared/stream-events.ts';

/**
 * False for a gap that `reported` contains; afterwards it contains this one. Only trimmed and expired entries repeat.
 */
export function isUnreported(gap: Partial<GapData>, reported: ReportedGaps): boolean {
  const { channel = null, after = '', before = '' } = gap;
  const reason = gap.reason as GapReason;
  const to = parsePosition(before);
  if (!mayOverlap(reason) || to === undefined) return true;
  return (
    reported.unreported({ channel, after: parsePosition(after) ?? 0, before: to, reason, missed: null }) !==
    null
  );
}
