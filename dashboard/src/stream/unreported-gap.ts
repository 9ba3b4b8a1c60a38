// Which gaps are news: a page of history, or a stream that is resumed, tells again what lies behind its beginning.
import { type GapReason, mayOverlap } from '@llm-streamer/shared/broker/broker.ts';
import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import type { ReportedGaps } from '@llm-streamer/shared/broker/reported-gaps.ts';
import type { GapData } from '@llm-streamer/shared/stream-events.ts';

/** False where `told` knows of it; it does from now on. Gaps that move a cursor are never told again. */
export function isUnreported(gap: Partial<GapData>, told: ReportedGaps): boolean {
  const { channel = null, after = '', before = '' } = gap;
  const reason = gap.reason as GapReason;
  const to = parsePosition(before);
  if (!mayOverlap(reason) || to === undefined) return true;
  return (
    told.unreported({ channel, after: parsePosition(after) ?? 0, before: to, reason, missed: null }) !== null
  );
}
