// Brings live listeners what history holds: after a cut, or where announcements are missing.

import type { Page, ReadQuery } from './broker.ts';
import type { Position } from './position.ts';
import { deliver, type Routes } from './routes.ts';

const PAGE = 1_000;

/**
 * Delivers all after `from` that was not delivered, and tells of no forgotten channel's loss up to `had`: until there
 * nothing was missed. `reached` is told where a failure must go on, so that no gap is told again.
 */
export async function replay(
  read: (query: ReadQuery) => Promise<Page>,
  routes: Routes,
  { from, upTo, had }: { from: Position; upTo: Position; had: Position },
  reached: (position: Position) => void,
): Promise<void> {
  const channels = routes.patterns();
  reached(from);
  let after = from;
  for (let done = channels.length === 0; !done; ) {
    const page = await read({ channels, after, origin: from, upTo, limit: PAGE });
    for (const { record, gap } of page.items) {
      if (gap) {
        const old = gap.channel === null && gap.reason === 'expired' && gap.before - 1 <= had;
        if (!old) routes.gap(gap);
      } else deliver(routes.route(record.channel), record);
    }
    after = page.next;
    reached(after);
    ({ done } = page);
  }
  reached(upTo);
}
