// A row of the tree in the DOM: the name, the bar, the figures. It may show one span now and another one later, and only what has
// changed is written.
import { setText } from '../pictures/set-text.ts';
import { visible } from '../pictures/words.ts';
import type { EntryRow } from '../stream/row.ts';
import type { CriticalPart } from './critical-path.ts';
import type { TreeRow } from './rows.ts';
import type { Part } from './span.ts';
import { figureOf, wordsOf } from './words.ts';

/** A row with more parts shows them as one. */
const MAX_PARTS = 150;
const MAX_WARNINGS = 40;
const MAX_NAME = 120;
/** Styles of what happened at one moment: the style sheet says how wide they are. */
const POINTS = /^(?:step|warning|at)/;

/** Where times stand: `from` at the left edge, and `length` ms to the right one. */
export interface Scale {
  from: number;
  length: number;
}

interface Piece {
  style: string;
  from: number;
  to: number;
}

export class TreeRowNode {
  readonly element = document.createElement('div');
  readonly #twig = document.createElement('span');
  readonly #name = document.createElement('bdi');
  readonly #bar = document.createElement('span');
  readonly #figure = document.createElement('span');
  /** What the bar and the figures say, for screen readers. */
  readonly #words = document.createElement('span');
  readonly #pieces: HTMLElement[] = [];
  row: TreeRow | undefined;

  constructor(id: string) {
    this.element.role = 'treeitem';
    this.element.id = id;
    const name = this.element.appendChild(document.createElement('span'));
    name.className = 'name';
    this.#twig.className = 'dim';
    name.append(this.#twig, this.#name);
    this.#bar.className = 'bar';
    this.#figure.className = 'figure';
    this.#words.className = 'visually-hidden';
    for (const seen of [this.#twig, this.#bar, this.#figure]) seen.ariaHidden = 'true';
    this.element.append(this.#bar, this.#figure, this.#words);
  }

  show(
    row: TreeRow,
    top: number,
    scale: Scale,
    critical: readonly CriticalPart[],
    isSelected: boolean,
    /** The selected entry. */
    at: EntryRow | undefined,
  ): void {
    const { span, depth, isFolded, place, places } = row;
    this.row = row;
    const isCritical = critical.length > 0;
    const fold = span.children.length > 0 && depth > 0 ? (isFolded ? '▸ ' : '▾ ') : '';
    setText(this.#twig, `${row.twig}${fold}`);
    setText(this.#name, visible(span.name, MAX_NAME));
    setText(this.#figure, figureOf(span));
    set(this.element, 'class', `row ${span.kind} ${span.state}${isSelected ? ' selected' : ''}`);
    move(this.element, 'top', `${top}px`);
    setText(this.#words, `, ${wordsOf(span, scale.from, isCritical)}`);
    set(this.element, 'aria-level', String(depth + 1));
    set(this.element, 'aria-posinset', String(place));
    set(this.element, 'aria-setsize', String(places));
    set(this.element, 'aria-selected', String(isSelected));
    set(this.element, 'aria-expanded', span.children.length > 0 ? String(!isFolded) : undefined);
    this.#draw(this.#piecesOf(row, critical, isSelected ? at : undefined), scale);
  }

  #piecesOf(
    { span, isFolded }: TreeRow,
    critical: readonly CriticalPart[],
    at: EntryRow | undefined,
  ): Piece[] {
    const { from, to, kind, parts, warnings } = span;
    const pieces: Piece[] = [];
    const holds = isFolded || kind === 'unknown' || kind === 'run';
    if (holds && from !== undefined && to !== undefined) pieces.push({ style: 'within', from, to });
    for (const part of parts.length > MAX_PARTS ? wholeOf(parts) : parts)
      pieces.push({ style: kind === 'step' ? 'step' : part.kind, from: part.from, to: part.to });
    for (const part of critical) pieces.push({ style: 'critical', from: part.from, to: part.to });
    for (const { time, level } of warnings.slice(0, MAX_WARNINGS))
      pieces.push({ style: level > 3 ? 'warning bad' : 'warning warn', from: time, to: time });
    if (at) pieces.push({ style: 'at', from: at.time, to: at.time });
    return pieces;
  }

  #draw(pieces: readonly Piece[], { from, length }: Scale): void {
    for (const [i, piece] of pieces.entries()) {
      let element = this.#pieces[i];
      if (!element) {
        element = this.#bar.appendChild(document.createElement('i'));
        this.#pieces.push(element);
      }
      const left = clamp(((piece.from - from) / length) * 100);
      const width = clamp(((piece.to - from) / length) * 100) - left;
      set(element, 'class', piece.style);
      move(element, 'left', `${left.toFixed(3)}%`);
      move(element, 'width', POINTS.test(piece.style) ? '' : `${width.toFixed(3)}%`);
    }
    for (const left of this.#pieces.splice(pieces.length)) left.remove();
  }
}

function wholeOf(parts: readonly Part[]): Part[] {
  const times = parts.flatMap(({ from, to }) => [from, to]);
  return [{ kind: 'work', from: Math.min(...times), to: Math.max(...times) }];
}

function clamp(percent: number): number {
  return Math.max(0, Math.min(100, percent));
}

function set(element: HTMLElement, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** By the object model: the page's policy allows no styles as attributes. */
function move(element: HTMLElement, side: 'top' | 'left' | 'width', value: string): void {
  if (element.style[side] !== value) element.style[side] = value;
}
