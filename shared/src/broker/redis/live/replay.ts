// Brings live listeners what history holds: after a cut, or where announcements are missing.

import type { Page, ReadQuery } from '../../broker.ts';
import type { Position } from '../../position.ts';
import { ReportedGaps } from '../../reported-gaps.ts';
import { deliverRecord, type Routes } from '../../routes.ts';

const PAGE = 1_000;

/**
 * Delivers all after `from` that was not delivered, and tells of no forgotten channel's loss up to `had`: until there
 * nothing was missed. `reached` is told where a failure must go on.
 */
export async function replay(
  read: (query: ReadQuery) => Promise<Page>,
  routes: Routes,
  { from, upTo, had }: { from: Position; upTo: Position; had: Position },
  reached: (position: Position) => void,
): Promise<void> {
  const channels = routes.patterns();
  const told = new ReportedGaps();
  reached(from);
  let after = from;
  for (let done = channels.length === 0; !done; ) {
    const page = await read({ channels, after, upTo, limit: PAGE });
    for (const { record, gap } of page.items) {
      if (record) {
        deliverRecord(routes.route(record.channel), record);
        continue;
      }
      const news = told.unreported(gap);
      const isOld = gap.channel === null && gap.reason === 'expired' && gap.before - 1 <= had;
      if (news && !isOld) routes.deliverGap(news);
    }
    after = page.next;
    reached(after);
    // In the same turn: whoever had all up to where this page began must not pass for one who had its gaps.
    routes.advance(after);
    ({ done } = page);
  }
  reached(upTo);
}
