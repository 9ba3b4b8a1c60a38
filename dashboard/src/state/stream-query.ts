// The query of `/stream` that gives a view its entries.
import type { Filter } from '../log/filter.ts';
import type { ViewState } from './view-state.ts';

/** With `isNarrowed`, the gateway applies what it can of the filter: level, source, run and one search text. */
export function streamQuery(view: ViewState, filter: Filter, isNarrowed = view.narrow): URLSearchParams {
  const query = new URLSearchParams({ channels: view.channels.join(',') });
  if (isNarrowed) for (const [key, value] of Object.entries(filter.server)) query.set(key, value);
  if (view.since !== '') query.set('since', view.since);
  else query.set('tail', String(view.tail));
  return query;
}
