// Brings the children of an element into an order by moving as few of them as can be, since each move costs the browser a new layout of
// what it moves. The node that has the focus is not moved, the others move around it: it would lose the focus, and with `moveBefore`
// Chromium keeps that but scrolls the node into sight, so that the page jumps under its reader.
import { lowerBound } from '../stream/lower-bound.ts';

export function placeNodes(parent: Element, wanted: readonly Element[]): void {
  const kept = new Set(wanted);
  for (const node of [...parent.children]) if (!kept.has(node)) node.remove();
  const staying = stayingNodes(parent, wanted);
  let next: Element | null = null;
  for (const node of wanted.toReversed()) {
    if (!staying.has(node)) parent.insertBefore(node, next);
    next = node;
  }
}

/**
 * The most children that stand in the wanted order already, the focused one among them: the longest increasing subsequence of their places,
 * by patience sorting.
 */
function stayingNodes(parent: Element, wanted: readonly Element[]): Set<Element> {
  const places = new Map([...parent.children].map((node, place) => [node, place]));
  const focused = wanted.findIndex((node) => node.contains(document.activeElement));
  const middle = places.get(wanted[focused] as Element);
  /** The last node of the best subsequence of each length, its place, and the node before it there. */
  const tails: Stay[] = [];
  for (const [i, node] of wanted.entries()) {
    const place = places.get(node);
    if (place === undefined) continue;
    if (middle !== undefined && Math.sign(place - middle) !== Math.sign(i - focused)) continue;
    const at = lowerBound(0, tails.length, (length) => (tails[length] as Stay).place < place);
    tails[at] = { node, place, before: tails[at - 1] };
  }
  const staying = new Set<Element>();
  for (let stay = tails.at(-1); stay; stay = stay.before) staying.add(stay.node);
  return staying;
}

interface Stay {
  node: Element;
  place: number;
  before: Stay | undefined;
}
