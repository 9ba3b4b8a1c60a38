// Reads history page after page to the end of a query. Each entry comes once, and so does each gap: later pages repeat what
// earlier ones have reported, and the repetition is taken out here.

import type { Page, PageItem, ReadQuery } from './broker.ts';
import { ReportedGaps } from './reported-gaps.ts';

/** A broker, or a part of one that gives pages. */
export interface PageSource {
  readPage(query: ReadQuery): Promise<Page>;
}

/** Ends with the page that is `done`. If the query is abandoned, no further page is read. */
export async function* readPages(
  source: PageSource,
  query: ReadQuery,
): AsyncGenerator<Page, void, undefined> {
  const reported = new ReportedGaps();
  let rest = query;
  for (let done = false; !done && !query.isAbandoned?.(); ) {
    const page = await source.readPage(rest);
    yield withUnreportedGaps(page, reported);
    ({ done } = page);
    rest = query.reverse ? { ...query, upTo: page.next } : { ...query, after: page.next };
  }
}

/** A page without gaps, as most pages are, is returned as it is. */
function withUnreportedGaps(page: Page, reported: ReportedGaps): Page {
  if (page.items[0]?.gap === undefined) return page; // gaps come first
  const items: PageItem[] = [];
  for (const item of page.items) {
    const gap = item.gap && reported.unreported(item.gap);
    if (gap) items.push({ gap });
    else if (item.record) items.push(item);
  }
  return { ...page, items };
}
