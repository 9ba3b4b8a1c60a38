// Of a reading in several pages: what is new of a page's gaps. Each page tells all that is missing behind its beginning.

import type { Gap } from './broker.ts';
import type { Position } from './position.ts';

export class ReportedGaps {
  /** By channel, or by reason where it may be any channel. */
  readonly #reportedUpTo = new Map<string, Position>();

  /** The part of a gap that was not told yet; null where all of it was. */
  unreported(gap: Gap): Gap | null {
    const key = gap.channel ?? `#${gap.reason}`;
    const told = this.#reportedUpTo.get(key) ?? 0;
    if (gap.before <= told) return null;
    this.#reportedUpTo.set(key, gap.before);
    return { ...gap, after: Math.max(gap.after, told - 1) };
  }
}
