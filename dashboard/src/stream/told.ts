// Whether a gap is in the books already: a page of history, or a stream that is resumed, tells again what lies behind it.
import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import type { Told } from '@llm-streamer/shared/broker/told.ts';
import type { WireGap } from './wire.ts';

/** Of gaps that entries of other channels may lie in; others are told once. */
export function isTold(
  { channel = null, after = '', before = '', reason }: Partial<WireGap>,
  told: Told,
): boolean {
  if (reason !== 'trimmed' && reason !== 'expired') return false;
  const [from, to] = [parsePosition(after), parsePosition(before)];
  if (to === undefined) return false;
  return told.news({ channel, after: from ?? 0, before: to, reason, missed: null }) === null;
}
