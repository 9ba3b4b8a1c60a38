// The rows of a tree on screen: which spans are shown, and how deep each stands. What lies deep is folded until the reader opens it.
import type { Span } from './span.ts';

/** Deeper ones are folded at first, so that a trace of hundreds of spans begins with its outline. */
const OPEN_DEPTH = 4;
/** Deeper ones stand no further to the right. */
const MAX_INDENT = 10;

export interface TreeRow {
  span: Span;
  depth: number;
  /** Lines that lead to its parent. */
  twig: string;
  isFolded: boolean;
  parent: TreeRow | undefined;
  /** Its place among the children of its parent, from 1 on, and how many they are. */
  place: number;
  places: number;
}

/** `choices` holds what the reader has folded (true) or opened, by the keys of spans; without it, nothing is folded. */
export function rowsOf(root: Span, choices?: ReadonlyMap<string, boolean>): TreeRow[] {
  const rows: TreeRow[] = [];
  const first: TreeRow = {
    span: root,
    depth: 0,
    twig: '',
    isFolded: false,
    parent: undefined,
    place: 1,
    places: 1,
  };
  const waiting: { row: TreeRow; lead: string }[] = [{ row: first, lead: '' }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { row, lead } = next;
    const { span, depth } = row;
    rows.push(row);
    row.isFolded =
      choices !== undefined && span.children.length > 0 && (choices.get(span.key) ?? depth >= OPEN_DEPTH);
    if (row.isFolded) continue;
    const places = span.children.length;
    for (let i = places - 1; i >= 0; i--) {
      const child = span.children[i];
      if (!child) continue;
      const isLast = i === places - 1;
      const isIndented = depth > 0 && depth < MAX_INDENT;
      const childRow = {
        span: child,
        depth: depth + 1,
        twig: `${lead}${isLast ? '└ ' : '├ '}`,
        isFolded: false,
        parent: row,
        place: i + 1,
        places,
      };
      waiting.push({
        row: childRow,
        lead: isIndented || depth === 0 ? `${lead}${isLast ? '  ' : '│ '}` : lead,
      });
    }
  }
  return rows;
}
