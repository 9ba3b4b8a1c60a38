// The critical path of a run: what the end waited for, from the end back to the beginning. At each moment it is the work that ended
// last before what followed; making any of it shorter makes the run shorter.
import type { Span } from './span.ts';

export interface CriticalPart {
  key: string;
  from: number;
  to: number;
}

/** Kinds that only hold others: the time in which none of those worked is nobody's. */
const HOLDERS: readonly string[] = ['run', 'lane', 'unknown'];

export function criticalPath(root: Span): CriticalPart[] {
  const path: CriticalPart[] = [];
  if (root.to !== undefined) walk(root, root.to, path);
  return path.reverse();
}

/** Adds the path that ends at `until`, the latest part first. */
function walk(span: Span, until: number, path: CriticalPart[]): void {
  let at = Math.min(until, span.to ?? until);
  const children = span.children
    .filter(({ from, to }) => from !== undefined && to !== undefined && to > from)
    // Of those that end together, the one that began first was waited for longest.
    .sort((a, b) => (b.to ?? 0) - (a.to ?? 0) || (a.from ?? 0) - (b.from ?? 0));
  for (const child of children) {
    if ((child.to ?? 0) > at) continue;
    addOwn(span, child.to ?? at, at, path);
    walk(child, at, path);
    at = child.from ?? at;
  }
  addOwn(span, Number.NEGATIVE_INFINITY, at, path);
}

function addOwn(span: Span, from: number, to: number, path: CriticalPart[]): void {
  const [first] = span.parts;
  if (HOLDERS.includes(span.kind) || !first) return;
  const begin = Math.max(from, first.from);
  const end = Math.min(
    to,
    span.parts.reduce((latest, part) => Math.max(latest, part.to), first.to),
  );
  if (end > begin) path.push({ key: span.key, from: begin, to: end });
}
