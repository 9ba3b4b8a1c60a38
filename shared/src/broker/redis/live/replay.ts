// Brings live listeners what history holds: after a cut, or where announcements are missing. Each entry is delivered once, and
// each gap before the entries that follow it.

import type { Position } from '../../position.ts';
import { type PageSource, readPages } from '../../read-pages.ts';
import { deliverRecord, type Routes } from '../../routes.ts';

const PAGE = 1_000;

/** What to replay: the log after `from`, up to and with `upTo`. */
export interface ReplayRange {
  from: Position;
  upTo: Position;
  /** Listeners already have everything up to here, although it may lie after `from`. */
  deliveredUpTo: Position;
}

/**
 * Delivers everything in the range that was not delivered before. After a failure, the next replay begins at the position
 * that `onProgress` got last.
 */
export async function replay(
  source: PageSource,
  routes: Routes,
  { from, upTo, deliveredUpTo }: ReplayRange,
  onProgress: (position: Position) => void,
): Promise<void> {
  const channels = routes.patterns();
  onProgress(from);
  if (channels.length === 0) return onProgress(upTo);
  for await (const { items, next } of readPages(source, { channels, after: from, upTo, limit: PAGE })) {
    for (const { record, gap } of items) {
      if (record) deliverRecord(routes.route(record.channel), record);
      // A channel that was forgotten has no route to compare with. Up to `deliveredUpTo` its listeners missed nothing.
      else if (gap.channel !== null || gap.reason !== 'expired' || gap.before - 1 > deliveredUpTo)
        routes.deliverGap(gap);
    }
    onProgress(next);
    // In the same turn as the gaps. A listener that begins between the two would seem to have been sent the gaps, although
    // it knows only what came up to the beginning of this page.
    routes.advance(next);
  }
  onProgress(upTo);
}
