// One run on screen: its summary, an axis of time, and the tree of its spans with a bar for each. Only the rows in sight are in the
// document, so a trace of two thousand spans costs what one of fifty costs. Plain nodes: to move the bars of 60 rows takes 15 ms where a
// canvas takes 7, but that happens five times a second at most, and nodes have names, themes and a pointer of their own.

import type { Prices } from '@llm-streamer/shared/api-types.ts';
import { LINE } from '../log/scroll.ts';
import { placeNodes } from '../pictures/place-nodes.ts';
import { setText } from '../pictures/set-text.ts';
import { stepOf } from '../pictures/steps.ts';
import { visible } from '../pictures/words.ts';
import type { EntryRow } from '../stream/row.ts';
import { ticksOf, tickTexts } from './axis.ts';
import { costOf } from './cost.ts';
import type { CriticalPart } from './critical-path.ts';
import type { Picture } from './model.ts';
import { TreeRowNode } from './row-node.ts';
import { rowsOf, type TreeRow } from './rows.ts';
import type { Span } from './span.ts';
import { summaryOf } from './words.ts';

/** Rows beyond the edges, so that scrolling finds them there. */
const MORE = 8;

export interface RunViewListener {
  onOpen(row: EntryRow): void;
  /** The entry under the pointer; `isChosen` if the reader has selected it. */
  onEntry(row: EntryRow | undefined, span: Span | undefined, isChosen: boolean): void;
}

let views = 0;

export class RunView {
  readonly element = document.createElement('article');
  readonly #listener: RunViewListener;
  readonly #id = `run-view-${++views}`;
  readonly #summary = document.createElement('p');
  readonly #notes = document.createElement('p');
  readonly #axis = document.createElement('div');
  readonly #tree = document.createElement('div');
  readonly #space = document.createElement('div');
  readonly #nodes = new Map<string, TreeRowNode>();
  readonly #spare: TreeRowNode[] = [];
  readonly #folds = new Map<string, boolean>();
  #made = 0;
  #picture: Picture | undefined;
  #length = 1;
  #critical = new Map<string, CriticalPart[]>();
  #rows: TreeRow[] = [];
  #selected = 'run';
  /** Which entry of the selected span; undefined for its first. */
  #entry: EntryRow | undefined;
  /** The entry to go to as soon as it is here. */
  #wanted: string | undefined;

  constructor(name: string, listener: RunViewListener) {
    this.#listener = listener;
    this.#summary.className = 'totals';
    this.#notes.className = 'notes warn';
    this.#axis.className = 'axis dim';
    this.#axis.ariaHidden = 'true';
    this.#tree.className = 'tree';
    this.#tree.role = 'tree';
    this.#tree.tabIndex = 0;
    this.#tree.ariaLabel = `Run ${visible(name)}`;
    this.#space.role = 'presentation';
    this.#tree.append(this.#space);
    this.element.append(this.#summary, this.#notes, this.#axis, this.#tree);
    this.#tree.addEventListener('scroll', () => this.#draw(), { passive: true });
    this.#tree.addEventListener('pointermove', (event) => this.#point(event));
    this.#tree.addEventListener('click', (event) => this.#click(event));
    new ResizeObserver(() => this.#drawAll()).observe(this.#tree);
  }

  /** Goes to an entry as soon as it is here. */
  want(id: string | undefined): void {
    this.#wanted = id;
  }

  /** The length in ms of what is shown; both views of a comparison get the greater one. */
  static lengthOf({ root }: Picture): number {
    return Math.max(1, (root.to ?? 0) - (root.from ?? 0));
  }

  show(picture: Picture, length: number, notes: readonly string[], prices: Prices | undefined): void {
    const isAtEnd = this.#tree.scrollTop + this.#tree.clientHeight >= this.#tree.scrollHeight - LINE;
    // A row that the reader has gone to stays in sight.
    const isFree = this.#selected === 'run' || this.#selected === this.#rows.at(-1)?.span.key;
    this.#picture = picture;
    this.#length = length;
    this.#critical = Map.groupBy(picture.critical, ({ key }) => key);
    setText(
      this.#summary,
      `run ${visible(picture.root.name, 60)} · ${summaryOf(picture, costOf(picture.root, prices))}`,
    );
    setText(this.#notes, notes.join(' · '));
    this.#arrange();
    this.#find();
    if (isAtEnd && isFree && picture.isRunning) this.#tree.scrollTop = this.#tree.scrollHeight;
    this.#drawAll();
  }

  focus(): void {
    this.#tree.focus({ preventScroll: true });
  }

  get hasFocus(): boolean {
    return this.#tree.contains(document.activeElement);
  }

  /** The entry that is selected. */
  get selected(): EntryRow | undefined {
    return this.#entry ?? entriesOf(this.#row()?.span)[0];
  }

  /** Handles a key; false if it is none of the tree's. */
  press(key: string): boolean {
    const step = stepOf(key, Math.max(1, Math.floor(this.#tree.clientHeight / LINE) - 1));
    if (step !== undefined) this.#move(step);
    else if (key === 'ArrowRight') this.#right();
    else if (key === 'ArrowLeft') this.#left();
    else if (key === 'x') this.#fold(this.#row());
    else if (key === 'Enter') this.#open();
    else return false;
    return true;
  }

  #arrange(): void {
    if (!this.#picture) return;
    this.#rows = rowsOf(this.#picture.root, this.#folds);
    const height = `${this.#rows.length * LINE}px`;
    if (this.#space.style.height !== height) this.#space.style.height = height;
  }

  /** Selects the entry that was asked for, if it is here; what it is folded into is opened. */
  #find(): void {
    const id = this.#wanted;
    if (id === undefined || !this.#picture) return;
    const isWanted = (entry: EntryRow) => entry.id === id;
    const row = rowsOf(this.#picture.root).findLast(({ span }) => entriesOf(span).some(isWanted));
    if (!row) return;
    for (let at = row.parent; at; at = at.parent) this.#folds.set(at.span.key, false);
    this.#arrange();
    this.#select(row.span.key, entriesOf(row.span).find(isWanted));
  }

  #row(): TreeRow | undefined {
    return this.#rows.find(({ span }) => span.key === this.#selected) ?? this.#rows[0];
  }

  #select(key: string, entry: EntryRow | undefined): void {
    this.#wanted = undefined;
    this.#selected = key;
    this.#entry = entry;
    const place = this.#rows.findIndex(({ span }) => span.key === key);
    const top = place * LINE;
    const { scrollTop, clientHeight } = this.#tree;
    if (place >= 0 && top < scrollTop) this.#tree.scrollTop = top;
    else if (top + LINE > scrollTop + clientHeight) this.#tree.scrollTop = top + LINE - clientHeight;
    this.#draw();
    this.#tell(true);
  }

  #tell(isChosen: boolean): void {
    this.#listener.onEntry(this.selected, this.#row()?.span, isChosen);
  }

  #move(step: number): void {
    const place = this.#rows.indexOf(this.#row() as TreeRow);
    const next = this.#rows[Math.max(0, Math.min(this.#rows.length - 1, place + step))];
    if (next) this.#select(next.span.key, undefined);
  }

  #right(): void {
    const row = this.#row();
    const next = this.#step(1);
    if (row?.isFolded) this.#fold(row);
    else if (row && next) this.#select(row.span.key, next);
  }

  #left(): void {
    const row = this.#row();
    if (!row) return;
    const previous = this.#step(-1);
    if (previous) this.#select(row.span.key, previous);
    else if (row.span.children.length > 0 && !row.isFolded && row.depth > 0) this.#fold(row);
    else if (row.parent) this.#select(row.parent.span.key, undefined);
  }

  /** The entry of the selected span that is so many after the selected one. */
  #step(by: number): EntryRow | undefined {
    const { selected } = this;
    const entries = entriesOf(this.#row()?.span);
    return selected && entries[entries.findIndex(({ raw }) => raw === selected.raw) + by];
  }

  #fold(row: TreeRow | undefined): void {
    if (!row || row.span.children.length === 0) return;
    this.#folds.set(row.span.key, !row.isFolded);
    this.#arrange();
    this.#select(row.span.key, this.#entry);
  }

  #open(): void {
    const { selected } = this;
    if (selected) this.#listener.onOpen(selected);
  }

  #rowAt(event: MouseEvent): TreeRow | undefined {
    const element = event.target instanceof Element ? event.target.closest('[role="treeitem"]') : null;
    return [...this.#nodes.values()].find((node) => node.element === element)?.row;
  }

  /** The entry of a row that is nearest to the pointer. */
  #nearest(row: TreeRow, event: MouseEvent): EntryRow | undefined {
    const bar = (event.target as Element).closest('[role="treeitem"]')?.querySelector('.bar');
    const { left, width } = bar?.getBoundingClientRect() ?? { left: 0, width: 1 };
    const at = (this.#picture?.root.from ?? 0) + ((event.clientX - left) / width) * this.#length;
    const away = ({ time }: EntryRow) => Math.abs(time - at);
    return entriesOf(row.span).reduce<EntryRow | undefined>(
      (best, entry) => (best && away(best) <= away(entry) ? best : entry),
      undefined,
    );
  }

  #point(event: PointerEvent): void {
    const row = this.#rowAt(event);
    if (row) this.#listener.onEntry(this.#nearest(row, event), row.span, false);
  }

  #click(event: MouseEvent): void {
    const row = this.#rowAt(event);
    if (!row) return;
    const isName = (event.target as Element).closest('.name') !== null;
    if (isName && row.span.key === this.#selected) this.#fold(row);
    else if (!isName && row.span.key === this.#selected && event.detail > 1) this.#open();
    else this.#select(row.span.key, this.#nearest(row, event));
  }

  #drawAll(): void {
    const width = this.#axis.clientWidth;
    if (width === 0) return;
    const ticks = ticksOf(this.#length, this.#axis.querySelector('.bar')?.clientWidth ?? width / 2);
    const texts = tickTexts(ticks);
    const text = texts.join();
    if (this.#axis.dataset.ticks !== `${text} ${this.#length}`) {
      this.#axis.dataset.ticks = `${text} ${this.#length}`;
      const bar = document.createElement('span');
      bar.className = 'bar';
      for (const [i, tick] of ticks.entries()) {
        const mark = bar.appendChild(document.createElement('i'));
        mark.textContent = texts[i] ?? '';
        mark.style.left = `${(tick / this.#length) * 100}%`;
      }
      const [name, figure] = [document.createElement('span'), document.createElement('span')];
      name.className = 'name';
      figure.className = 'figure';
      this.#axis.replaceChildren(name, bar, figure);
    }
    this.#draw();
  }

  #draw(): void {
    if (!this.#picture) return;
    const { scrollTop, clientHeight } = this.#tree;
    const first = Math.max(0, Math.floor(scrollTop / LINE) - MORE);
    const shown = this.#rows.slice(first, Math.ceil((scrollTop + clientHeight) / LINE) + MORE);
    const keys = new Set(shown.map(({ span }) => span.key));
    for (const [key, node] of this.#nodes)
      if (!keys.has(key)) {
        this.#nodes.delete(key);
        node.element.remove();
        this.#spare.push(node);
      }
    const scale = { from: this.#picture.root.from ?? 0, length: this.#length };
    const [selectedRow, { selected }] = [this.#row(), this];
    let active = '';
    const elements = shown.map((row, i) => {
      const { key } = row.span;
      const node =
        this.#nodes.get(key) ?? this.#spare.pop() ?? new TreeRowNode(`${this.#id}-${++this.#made}`);
      this.#nodes.set(key, node);
      const isSelected = row === selectedRow;
      node.show(row, (first + i) * LINE, scale, this.#critical.get(key) ?? [], isSelected, selected);
      if (isSelected) active = node.element.id;
      return node.element;
    });
    placeNodes(this.#space, elements);
    if (active === '') this.#tree.removeAttribute('aria-activedescendant');
    else this.#tree.setAttribute('aria-activedescendant', active);
  }
}

/** The entries about a span; of a lane with several generations, those of all of them. */
function entriesOf(span: Span | undefined): readonly EntryRow[] {
  if (!span) return [];
  const rows = span.kind === 'lane' ? span.children.flatMap((child) => child.rows) : span.rows;
  return span.warnings.length === 0
    ? rows
    : [...rows, ...span.warnings].sort((a, b) => a.time - b.time || a.n - b.n);
}
