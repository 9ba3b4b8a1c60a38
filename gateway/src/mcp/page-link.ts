// Links to the page with the filter of an answer, so that people see what the agent has seen.

import type { Selection } from '../stream/query/query.ts';

const MAX_LINK = 1_500;
const TERM = /^[^\s"*/]+$/;

/** @param since an id or an ISO time */
export function pageLink(
  page: string,
  { channels, level, source, run, q }: Selection,
  since?: string,
): string {
  const query = new URLSearchParams({ channels: channels.join() });
  if (level !== undefined) query.set('level', level);
  // The page makes terms of its filter language of these. What would end such a term, or mean more there, is left out.
  if (source !== undefined && TERM.test(source)) query.set('source', source);
  if (run !== undefined && TERM.test(run)) query.set('run', run);
  if (q !== undefined && !q.includes('"')) query.set('q', `"${q}"`);
  if (since !== undefined) query.set('since', since);
  const link = `${page}?${query.toString().replace(/%2C|%3A|%2A|%2F/g, decodeURIComponent)}`;
  return link.length <= MAX_LINK ? link : page.slice(0, MAX_LINK);
}
