// Remembers which gaps a reader has been sent. Each page of history names everything that is missing after its beginning,
// so the pages of one reading repeat gaps; this lets each missing entry be reported once.

import type { Gap } from './broker.ts';
import type { Position } from './position.ts';

export class ReportedGaps {
  /** The `before` of the last gap, by channel. Gaps that may be of any channel are kept by reason, as `#reset`. */
  readonly #reportedUpTo = new Map<string, Position>();
  /** The `after` of each rollback. */
  readonly #rollbacks = new Set<Position>();

  /**
   * The part of a gap that was not reported before, or null. For example, after a gap `{ after: 10, before: 20 }` of a
   * channel, the gap `{ after: 15, before: 20 }` gives null, and `{ after: 15, before: 30 }` gives
   * `{ after: 19, before: 30 }`. Rollbacks overlap where the log was found only later to have lost something: those after the same position
   * tell of the same loss, and others of another one, whatever lies between.
   */
  unreported(gap: Gap): Gap | null {
    if (gap.reason === 'rollback') {
      if (this.#rollbacks.has(gap.after)) return null;
      this.#rollbacks.add(gap.after);
      return gap;
    }
    const key = gap.channel ?? `#${gap.reason}`;
    const upTo = this.#reportedUpTo.get(key) ?? 0;
    if (gap.before <= upTo) return null;
    this.#reportedUpTo.set(key, gap.before);
    return { ...gap, after: Math.max(gap.after, upTo - 1) };
  }
}
