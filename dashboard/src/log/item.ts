// One item of the list: a row of its own, or a fold that stands for several entries.
import type { Row } from '../stream/row.ts';
import type { Fold } from './fold.ts';

export type Item = Row | Fold;

/** The row itself, or the entry that a fold shows. */
export function rowOf(item: Item): Row {
  return item.kind === 'fold' ? item.shown : item;
}

export function runOf(item: Item): string | undefined {
  if (item.kind === 'entry') return item.run;
  return item.kind === 'fold' ? item.first.run : undefined;
}
