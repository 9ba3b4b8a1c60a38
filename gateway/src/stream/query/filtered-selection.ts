// A selection with its compiled filter: what history is read for. A live view is one, and so is the query of a single page.

import type { Filter } from './filter.ts';
import type { Selection } from './query.ts';

export interface FilteredSelection {
  selection: Selection;
  /** null: every entry of the channels passes. */
  filter: Filter | null;
  /** True once nobody waits for its entries: a read that has not begun by then may be skipped. */
  readonly closed?: boolean;
}
