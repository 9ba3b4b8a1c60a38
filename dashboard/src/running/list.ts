// The list on screen: at most twenty rows, one for each generation, moved over by arrow keys; Enter or a click shows its entries in the log.
import { stepOf } from '../pictures/steps.ts';
import type { Generation } from './generation.ts';
import { COLUMNS, LineNode } from './line-node.ts';

/** What the reader has pointed at, with the pointer or a key, keeps its line this long. */
const HELD_MS = 3_000;
/** Lines that a key for a page goes on by. */
const PAGE = 10;

export class RunningList {
  readonly element = document.createElement('div');
  readonly #onOpen: (generation: Generation) => void;
  readonly #body = document.createElement('div');
  readonly #nodes: LineNode[] = [];
  #held: Element | undefined;
  #heldUntil = 0;
  #wantsFocus = false;

  constructor(onOpen: (generation: Generation) => void) {
    this.#onOpen = onOpen;
    this.element.role = 'grid';
    this.element.ariaLabel = 'Generations that run';
    this.element.tabIndex = 0;
    this.element.append(head(), this.#body);
    this.#body.role = 'rowgroup';
    this.#body.addEventListener('pointermove', (event) => this.#hold(event.target));
    this.#body.addEventListener('click', (event) => this.#open(event.target));
  }

  /** The line that the reader points at. */
  get held(): number | undefined {
    if (performance.now() >= this.#heldUntil) return undefined;
    const place = this.#nodes.findIndex(({ element }) => element === this.#held);
    return place < 0 ? undefined : place;
  }

  show(lines: readonly (Generation | undefined)[], now: number): void {
    while (this.#nodes.length < lines.length) {
      const node = new LineNode();
      this.#nodes.push(node);
      this.#body.append(node.element);
    }
    for (const [i, node] of this.#nodes.entries()) node.show(lines[i], now);
    if (this.#wantsFocus && document.activeElement === this.element) this.#move(0);
  }

  /** Handles a key, wherever the focus is; false if it is none of the list's. */
  press(key: string): boolean {
    const step = stepOf(key, PAGE);
    if (step !== undefined) this.#move(step);
    else if (key === 'Enter') this.#open(document.activeElement);
    else return false;
    return true;
  }

  /** Puts the focus on the first line, as soon as there is one; until then it is the list's. */
  focus(): void {
    this.#wantsFocus = true;
    this.element.focus({ preventScroll: true });
    this.#move(0);
  }

  get hasFocus(): boolean {
    return this.element.contains(document.activeElement);
  }

  #move(step: number): void {
    const used = this.#nodes.filter(({ generation }) => generation).map(({ element }) => element);
    const at = used.indexOf(document.activeElement as HTMLDivElement);
    const next = used[Math.max(0, Math.min(used.length - 1, at < 0 ? 0 : at + step))];
    if (!next) return;
    this.#wantsFocus = false;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'nearest' });
    this.#hold(next);
  }

  #hold(target: EventTarget | null): void {
    this.#held = (target instanceof Element && target.closest('.row')) || undefined;
    this.#heldUntil = performance.now() + HELD_MS;
  }

  #open(target: EventTarget | null): void {
    const node = this.#nodes.find(({ element }) => target instanceof Node && element.contains(target));
    if (node?.generation) this.#onOpen(node.generation);
  }
}

function head(): HTMLElement {
  const group = document.createElement('div');
  group.role = 'rowgroup';
  const row = group.appendChild(document.createElement('div'));
  row.role = 'row';
  row.className = 'row head';
  for (const { key, title, hint } of COLUMNS) {
    const cell = row.appendChild(document.createElement('span'));
    cell.role = 'columnheader';
    cell.dataset.column = key;
    cell.title = hint;
    cell.textContent = title;
  }
  return group;
}
