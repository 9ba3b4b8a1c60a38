// Brings the children of an element into an order. Nodes that stand right already are not touched, since each move costs a layout, and a
// node that is taken out loses the focus: the one that has it stays, and the others move around it.

export function placeNodes(parent: Element, wanted: readonly Element[]): void {
  const kept = new Set(wanted);
  for (const node of [...parent.children]) if (!kept.has(node)) node.remove();
  const focused = wanted.findIndex((node) => node.contains(document.activeElement));
  const middle = focused < 0 ? null : (wanted[focused] ?? null);
  placeBefore(parent, middle === null ? wanted : wanted.slice(0, focused), parent.firstElementChild, middle);
  if (middle) placeBefore(parent, wanted.slice(focused + 1), middle.nextElementSibling, null);
}

/** Places nodes from `first` on, all of them before `end`. */
function placeBefore(
  parent: Element,
  nodes: readonly Element[],
  first: Element | null,
  end: Element | null,
): void {
  let next = first;
  for (const node of nodes) {
    // One node that has moved down must not move all those behind it up, one by one.
    if (next && next !== end && node !== next && node === next.nextElementSibling) {
      parent.insertBefore(next, end);
      next = node;
    }
    if (node === next) next = node.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}
