// The fleet on screen: rows in their order, moved over by arrow keys, each cell a way to the lines behind it. Plain nodes: a row
// is a few changed texts a second, while it is on screen.
import { COLUMNS, type Column } from './columns.ts';
import type { FleetRow } from './model.ts';
import { nextSort, ordered } from './order.ts';
import { placeNodes } from './place-nodes.ts';
import { FleetRowNode } from './row-node.ts';

/** Rows keep their places this long after the pointer has moved over them, so that a click meets what it was aimed at. */
const HELD_MS = 3_000;
/** The time in one frame for changing texts: many rows take several frames. */
const SLICE_MS = 4;
/** A row out of sight is written at each so many updates, and when it comes into sight. */
const UNSEEN_EVERY = 8;

export interface GridListener {
  onOpen(row: FleetRow, column: Column): void;
  onSort(sort: string): void;
}

export class FleetGrid {
  readonly element = document.createElement('div');
  readonly #listener: GridListener;
  readonly #body = document.createElement('div');
  readonly #titles = new Map<string, HTMLElement>();
  readonly #nodes = new Map<string, FleetRowNode>();
  readonly #groups = new Map<string, HTMLElement>();
  readonly #inSight = new Set<FleetRowNode>();
  readonly #sight: IntersectionObserver;
  #shown = '';
  #sort = '';
  #heldUntil = 0;
  #rows: readonly FleetRow[] = [];
  #frame = 0;
  #updates = 0;
  #marked: readonly string[] = [];

  constructor(listener: GridListener) {
    this.#listener = listener;
    this.element.role = 'grid';
    this.element.ariaLabel = 'Sources';
    this.element.tabIndex = 0;
    this.element.append(this.#head(), this.#body);
    this.#body.role = 'rowgroup';
    this.#body.addEventListener('pointermove', () => {
      this.#heldUntil = performance.now() + HELD_MS;
    });
    this.#body.addEventListener('click', (event) => this.#open(event.target));
    this.#sight = new IntersectionObserver((changes) => this.#see(changes));
  }

  /** Shows figures, and their order when the last of them is shown. */
  show(rows: readonly FleetRow[], sort: string): void {
    this.#rows = rows;
    if (sort !== this.#sort) {
      this.#showSort(sort);
      this.#arrange();
    }
    this.#updates++;
    this.#frame ||= requestAnimationFrame(() => this.#showSlice(0));
  }

  /** The sources that are compared. */
  mark(sources: readonly string[]): void {
    this.#marked = sources;
    for (const [source, node] of this.#nodes) node.mark(sources.includes(source));
  }

  /** The source of the row that has the focus. */
  get focused(): string | undefined {
    return [...this.#nodes.values()].find(({ element }) => element.contains(document.activeElement))?.row
      .source;
  }

  /** Handles a key, wherever the focus is; false if it is none of the grid's. */
  press(key: string): boolean {
    const steps: Record<string, [number, number]> = {
      ArrowDown: [1, 0],
      j: [1, 0],
      ArrowUp: [-1, 0],
      k: [-1, 0],
      PageDown: [10, 0],
      PageUp: [-10, 0],
      g: [Number.NEGATIVE_INFINITY, 0],
      G: [Number.POSITIVE_INFINITY, 0],
      Home: [Number.NEGATIVE_INFINITY, 0],
      End: [Number.POSITIVE_INFINITY, 0],
      ArrowRight: [0, 1],
      ArrowLeft: [0, -1],
    };
    const step = steps[key];
    if (step) this.#move(...step);
    else if (key === 'Enter') this.#open(document.activeElement);
    else return false;
    return true;
  }

  /** Puts the focus on the first row, as soon as there is one; until then it is the grid's. */
  focus(): void {
    this.element.focus({ preventScroll: true });
    this.#move(0, 0);
  }

  get hasFocus(): boolean {
    return this.element.contains(document.activeElement);
  }

  #head(): HTMLElement {
    const head = document.createElement('div');
    head.role = 'rowgroup';
    const row = head.appendChild(document.createElement('div'));
    row.role = 'row';
    row.className = 'row head';
    for (const { key, title, hint, value } of COLUMNS) {
      const cell = row.appendChild(document.createElement('span'));
      cell.role = 'columnheader';
      cell.dataset.column = key;
      cell.title = hint;
      this.#titles.set(key, cell);
      if (!value) {
        cell.textContent = title;
        continue;
      }
      const button = cell.appendChild(document.createElement('button'));
      button.type = 'button';
      button.textContent = title;
      button.addEventListener('click', () => this.#listener.onSort(nextSort(this.#sort, key)));
    }
    return head;
  }

  #showSort(sort: string): void {
    this.#sort = sort;
    this.#heldUntil = 0;
    for (const { key, isName = false } of COLUMNS) {
      const cell = this.#titles.get(key);
      if (!cell) continue;
      const isTurned = sort === `-${key}`;
      if (sort === key || isTurned) cell.ariaSort = isTurned === isName ? 'descending' : 'ascending';
      else cell.removeAttribute('aria-sort');
    }
  }

  #showSlice(from: number): void {
    const deadline = performance.now() + SLICE_MS;
    let next = from;
    while (next < this.#rows.length && performance.now() < deadline) {
      const row = this.#rows[next++];
      if (!row) continue;
      const node = this.#nodes.get(row.source);
      if (!node) {
        this.#make(row);
        continue;
      }
      node.row = row;
      if (this.#inSight.has(node) || (next + this.#updates) % UNSEEN_EVERY === 0) node.show();
    }
    if (next < this.#rows.length) {
      this.#frame = requestAnimationFrame(() => this.#showSlice(next));
      return;
    }
    this.#frame = 0;
    if (performance.now() >= this.#heldUntil || this.#shown === '') this.#arrange();
  }

  #make(row: FleetRow): void {
    const node = new FleetRowNode(row);
    node.mark(this.#marked.includes(row.source));
    this.#nodes.set(row.source, node);
    this.#sight.observe(node.element);
  }

  #see(changes: readonly IntersectionObserverEntry[]): void {
    const byElement = new Map([...this.#nodes.values()].map((node) => [node.element, node]));
    for (const { target, isIntersecting } of changes) {
      const node = byElement.get(target as HTMLDivElement);
      if (!node) continue;
      if (isIntersecting) {
        this.#inSight.add(node);
        node.show();
      } else this.#inSight.delete(node);
    }
  }

  #arrange(): void {
    // New sources have no node yet, if the reader has changed the sort meanwhile.
    const shownRows = this.#rows.filter(({ source }) => this.#nodes.has(source));
    const groups = ordered(shownRows, this.#sort);
    const wanted = groups.flatMap(({ title, isPlace, rows: own }) => [
      ...(title === undefined ? [] : [this.#groupNode(title, isPlace, own.length)]),
      ...own.flatMap(({ source }) => {
        const node = this.#nodes.get(source);
        node?.placeIn(isPlace);
        return node?.element ?? [];
      }),
    ]);
    const shown = groups
      .map(({ title, rows: own }) => `${title}\n${own.map(({ source }) => source).join('\n')}`)
      .join('\n\n');
    if (shown === this.#shown) return;
    this.#shown = shown;
    const sources = new Set(this.#rows.map(({ source }) => source));
    for (const [source, node] of this.#nodes) {
      if (sources.has(source)) continue;
      this.#nodes.delete(source);
      this.#inSight.delete(node);
      this.#sight.unobserve(node.element);
    }
    const wasEmpty = this.#body.childElementCount === 0;
    placeNodes(this.#body, wanted);
    if (wasEmpty && document.activeElement === this.element) this.focus();
  }

  #groupNode(title: string, isPlace: boolean, count: number): HTMLElement {
    // A host may be called as another group is.
    const key = `${isPlace} ${title}`;
    const known = this.#groups.get(key);
    const node = known ?? document.createElement('div');
    if (!known) {
      node.role = 'row';
      node.className = 'group';
      const cell = node.appendChild(document.createElement('bdi'));
      cell.role = 'rowheader';
      if (this.#groups.size > 1_000) this.#groups.clear();
      this.#groups.set(key, node);
    }
    const text = `${title} (${count})`;
    if (node.firstElementChild && node.textContent !== text) node.firstElementChild.textContent = text;
    return node;
  }

  #move(down: number, right: number): void {
    const rows = [...this.#body.querySelectorAll<HTMLElement>('.row')];
    const active = document.activeElement;
    const isInside = this.#body.contains(active);
    const at = isInside ? rows.findIndex((row) => row.contains(active)) : -1;
    const row = rows[Math.max(0, Math.min(rows.length - 1, isInside ? at + down : 0))];
    if (!row) return;
    const cells = [...row.children].filter(
      (cell): cell is HTMLElement => (cell as HTMLElement).offsetWidth > 0,
    );
    const column = isInside ? (active as HTMLElement).dataset.column : undefined;
    const from = Math.max(
      0,
      cells.findIndex((cell) => cell.dataset.column === column),
    );
    const cell = cells[Math.max(0, Math.min(cells.length - 1, from + right))];
    cell?.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'nearest' });
  }

  #open(target: EventTarget | null): void {
    const cell = target instanceof Element ? target.closest<HTMLElement>('[data-column]') : null;
    const node = [...this.#nodes.values()].find(({ element }) => cell && element.contains(cell));
    const column = COLUMNS.find(({ key }) => key === cell?.dataset.column);
    if (node && column) this.#listener.onOpen(node.row, column);
  }
}
