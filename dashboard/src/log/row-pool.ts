// The recycled row nodes, always in the order of their items: a node that scrolled out is moved to the other end and
// shows another item there.

import type { Item } from './item.ts';
import type { RowList } from './row-list.ts';
import { type RowContext, RowNode } from './row-node.ts';

export class RowPool {
  readonly element = document.createElement('div');
  readonly #nodes: RowNode[] = [];

  /** Shows `count` items of the list from the place `first` on. */
  show(list: RowList, first: number, count: number, context: RowContext): void {
    this.#arrange(list, first, count);
    for (const [i, node] of this.#nodes.entries()) {
      const item = list.get(first + i);
      if (item) node.show(item, first + i, list.linesAt(first + i), context);
    }
  }

  itemOf(target: EventTarget | null): Item | undefined {
    if (!(target instanceof Node)) return undefined;
    return this.#nodes.find((node) => node.element.contains(target))?.item;
  }

  focus(item: Item | undefined): void {
    this.#nodes.find((node) => node.item === item)?.element.focus({ preventScroll: true });
  }

  selected(): Item[] {
    const selection = getSelection();
    if (!selection || selection.isCollapsed) return [];
    return this.#nodes.flatMap(({ element, item }) =>
      item && selection.containsNode(element, true) ? [item] : [],
    );
  }

  #arrange(list: RowList, first: number, count: number): void {
    const nodes = this.#nodes;
    while (nodes.length < count) {
      const node = new RowNode();
      nodes.push(node);
      this.element.append(node.element);
    }
    while (nodes.length > count) nodes.pop()?.element.remove();
    if (count === 0) return;
    const down = nodes.findIndex((node) => node.item === list.get(first));
    if (down > 0) {
      for (const node of nodes.splice(0, down)) {
        nodes.push(node);
        this.element.append(node.element);
      }
    } else if (down < 0) {
      const shown = nodes[0]?.item;
      let up = 1;
      while (up < count && list.get(first + up) !== shown) up++;
      if (up >= count) return;
      for (const node of nodes.splice(nodes.length - up).reverse()) {
        nodes.unshift(node);
        this.element.prepend(node.element);
      }
    }
  }
}
