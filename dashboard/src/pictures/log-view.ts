// The log behind a figure.
import { LOG_ALONE, type ViewState } from '../state/view-state.ts';

/** The log of the entries that pass the filter `q`: at the entry with the id `at`, else at the latest. */
export function logView(q: string, at: string | undefined, range?: ViewState['range']): Partial<ViewState> {
  return { ...LOG_ALONE, q, hl: '', level: '', range, at: at ?? '', follow: at === undefined };
}
