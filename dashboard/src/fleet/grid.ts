// The fleet on screen: rows in their order, moved over by arrow keys, each cell a way to the lines behind it. Only the rows in sight are
// in the document, so 500 sources cost what forty cost.
import { LINE } from '../log/scroll.ts';
import { placeNodes } from '../pictures/place-nodes.ts';
import { stepOf } from '../pictures/steps.ts';
import { COLUMNS, type Column } from './columns.ts';
import type { FleetRow } from './model.ts';
import { nextSort, ordered } from './order.ts';
import { FleetRowNode } from './row-node.ts';

/** Rows keep their places this long after the pointer has moved over them, so that a click meets what it was aimed at. */
const HELD_MS = 3_000;
/** The height of a group's title, as in the style sheet. */
const TITLE = 24;
/** How many rows PageDown goes on by. */
const PAGE = 10;
/** Rows beyond the edges, so that scrolling finds them there. */
const MORE = 8;

/** What stands in a line of the list: a source, or the title of a group. */
type Item = { row: FleetRow; isPlace: boolean } | { title: HTMLElement };

export interface GridListener {
  /** How many px at the lower edge of the scroller are covered. */
  coveredBelow(): number;
  onOpen(row: FleetRow, column: Column): void;
  onSort(sort: string): void;
}

export class FleetGrid {
  readonly element = document.createElement('div');
  readonly #scroller: HTMLElement;
  readonly #listener: GridListener;
  readonly #body = document.createElement('div');
  readonly #titles = new Map<string, HTMLElement>();
  readonly #nodes = new Map<string, FleetRowNode>();
  readonly #groups = new Map<string, HTMLElement>();
  /** The latest figures of each source. */
  #rows = new Map<string, FleetRow>();
  #items: readonly Item[] = [];
  #sort = '';
  #heldUntil = 0;
  #frame = 0;
  #rowHeight = LINE;
  #marked: readonly string[] = [];

  /** `scroller` is what it will stand in, and scrolls. */
  constructor(scroller: HTMLElement, listener: GridListener) {
    this.#scroller = scroller;
    this.#listener = listener;
    this.element.role = 'grid';
    this.element.ariaLabel = 'Sources';
    this.element.tabIndex = 0;
    this.element.append(this.#head(), this.#body);
    this.#body.role = 'rowgroup';
    this.#body.addEventListener('pointermove', () => {
      this.#heldUntil = performance.now() + HELD_MS;
    });
    this.#body.addEventListener('pointerover', (event) => tellWhole(event.target));
    this.#body.addEventListener('click', (event) => this.#open(event.target));
    scroller.addEventListener('scroll', () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#onResize()).observe(scroller);
  }

  /** Shows figures, and their order, in the next frame. */
  show(rows: readonly FleetRow[], sort: string): void {
    this.#rows = new Map(rows.map((row) => [row.source, row]));
    if (sort !== this.#sort) this.#showSort(sort);
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (performance.now() >= this.#heldUntil || this.#items.length === 0) this.#arrange();
      this.#draw();
    });
  }

  /** Lets go of rows that were held for the pointer: they are of other channels. */
  release(): void {
    this.#heldUntil = 0;
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
    const down = stepOf(key, PAGE);
    if (down !== undefined) this.#move(down, 0);
    else if (key === 'ArrowRight') this.#move(0, 1);
    else if (key === 'ArrowLeft') this.#move(0, -1);
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

  #arrange(): void {
    const wasEmpty = this.#items.length === 0;
    const { focused } = this;
    const [before, column] = [this.#sources(), this.#column];
    this.#items = ordered([...this.#rows.values()], this.#sort).flatMap(({ title, isPlace, rows }) => [
      ...(title === undefined ? [] : [{ title: this.#groupNode(title, isPlace, rows.length) }]),
      ...rows.map((row) => ({ row, isPlace })),
    ]);
    this.element.ariaRowCount = String(this.#items.length + 1);
    if (wasEmpty && document.activeElement === this.element) this.focus();
    if (focused === undefined || this.#rows.has(focused)) return;
    // Its source has gone: the row that has its place takes the focus over.
    const sources = this.#sources();
    const next = sources[Math.min(before.indexOf(focused), sources.length - 1)];
    if (next === undefined) this.element.focus({ preventScroll: true });
    else this.focusOn(next, column);
  }

  /** Brings the rows in sight, and the one that has the focus, into the document, with their latest figures. */
  #draw(): void {
    const isFirst = this.#nodes.size === 0;
    const top = this.#scroller.scrollTop - this.#body.offsetTop;
    const beyond = MORE * this.#rowHeight;
    const from = top - beyond;
    const to = top + this.#scroller.clientHeight + beyond;
    const { focused } = this;
    const wanted: HTMLElement[] = [];
    let [y, above, below] = [0, 0, 0];
    for (const [place, item] of this.#items.entries()) {
      const height = this.#heightOf(item);
      const hasFocus = 'row' in item && item.row.source === focused;
      if (hasFocus || (y + height > from && y < to)) wanted.push(this.#nodeOf(item, place));
      else if (y < to) above += height;
      else below += height;
      y += height;
    }
    const kept = new Set(wanted);
    for (const [source, { element }] of this.#nodes) if (!kept.has(element)) this.#nodes.delete(source);
    placeNodes(this.#body, wanted);
    const padding = `${above}px 0px ${below}px`;
    if (this.#body.style.padding !== padding) this.#body.style.padding = padding;
    if (isFirst && this.#hasOtherHeight()) this.#draw();
  }

  #onResize(): void {
    const before = this.#rowHeight;
    const { focused } = this;
    const isHidden = focused !== undefined && (document.activeElement as HTMLElement).offsetWidth === 0;
    if (this.#hasOtherHeight()) this.#scroller.scrollTop *= this.#rowHeight / before;
    this.#draw();
    // The column of the cell that has the focus may have no room any more.
    if (isHidden) this.focusOn(focused);
  }

  /** Takes the height that rows have on this screen; true if it is another than before. */
  #hasOtherHeight(): boolean {
    const [node] = this.#nodes.values();
    const height = node?.element.offsetHeight || this.#rowHeight;
    const isOther = height !== this.#rowHeight;
    this.#rowHeight = height;
    return isOther;
  }

  #heightOf(item: Item): number {
    return 'row' in item ? this.#rowHeight : TITLE;
  }

  #nodeOf(item: Item, place: number): HTMLElement {
    const element = 'row' in item ? this.#rowOf(item.row, item.isPlace) : item.title;
    // The head is the first row.
    const index = String(place + 2);
    if (element.ariaRowIndex !== index) element.ariaRowIndex = index;
    return element;
  }

  #rowOf(ordered: FleetRow, isPlace: boolean): HTMLElement {
    const { source } = ordered;
    const row = this.#rows.get(source) ?? ordered;
    const node = this.#nodes.get(source) ?? new FleetRowNode(row);
    if (!this.#nodes.has(source)) {
      node.mark(this.#marked.includes(source));
      this.#nodes.set(source, node);
    } else if (node.row !== row) node.show(row);
    node.placeIn(isPlace);
    return node.element;
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
    const { focused } = this;
    const sources = this.#sources();
    const at = focused === undefined ? -1 : sources.indexOf(focused);
    const source = sources[Math.max(0, Math.min(sources.length - 1, at < 0 ? 0 : at + down))];
    if (source !== undefined) this.focusOn(source, at < 0 ? undefined : this.#column, right);
  }

  /** Puts the focus on the row of a source: on its cell in a column, or so many to the right of that; on its first cell without one. */
  focusOn(source: string, column?: string, right = 0): void {
    this.#scrollTo(source);
    const cells = [...(this.#nodes.get(source)?.element.children ?? [])].filter(
      (cell): cell is HTMLElement => (cell as HTMLElement).offsetWidth > 0,
    );
    const from = Math.max(
      0,
      cells.findIndex((cell) => cell.dataset.column === column),
    );
    cells[Math.max(0, Math.min(cells.length - 1, from + right))]?.focus({ preventScroll: true });
    // The row that had the focus may be far from here.
    this.#draw();
  }

  #sources(): string[] {
    return this.#items.flatMap((item) => ('row' in item ? [item.row.source] : []));
  }

  /** The column of the cell that has the focus. */
  get #column(): string | undefined {
    return document.activeElement?.closest<HTMLElement>('[data-column]')?.dataset.column;
  }

  #scrollTo(source: string): void {
    const place = this.#items.findIndex((item) => 'row' in item && item.row.source === source);
    const above = this.#items.slice(0, place).reduce((sum, item) => sum + this.#heightOf(item), 0);
    const top = this.#body.offsetTop + above;
    const head = this.#body.offsetTop - this.element.offsetTop;
    const bottom = top + this.#rowHeight - this.#scroller.clientHeight + this.#listener.coveredBelow();
    if (top - head < this.#scroller.scrollTop) this.#scroller.scrollTop = top - head;
    else if (bottom > this.#scroller.scrollTop) this.#scroller.scrollTop = bottom;
    this.#draw();
  }

  #open(target: EventTarget | null): void {
    const cell = target instanceof Element ? target.closest<HTMLElement>('[data-column]') : null;
    const node = [...this.#nodes.values()].find(({ element }) => cell && element.contains(cell));
    const column = COLUMNS.find(({ key }) => key === cell?.dataset.column);
    if (node && column) this.#listener.onOpen(node.row, column);
  }
}

/** A cell that is cut has all of its text as a tooltip. */
function tellWhole(target: EventTarget | null): void {
  const cell = target instanceof Element ? target.closest<HTMLElement>('[data-column]') : null;
  if (cell) cell.title = cell.scrollWidth > cell.clientWidth ? (cell.textContent ?? '') : '';
}
