// The fleet view: it counts the entries of the stream from when it is first opened, those that are here first, and shows the figures
// once a second while it is open. It is loaded then.

import { effect, untracked } from '@preact/signals';
import { quoted } from '../log/quoted.ts';
import { clockOf } from '../log/time.ts';
import type { Viewport } from '../log/viewport.ts';
import { filter, streamState, updateView, viewState } from '../state/store.ts';
import type { ViewState } from '../state/view-state.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import '../../styles/fleet.css';
import type { Column } from './columns.ts';
import { EntryFeed, type EntrySource } from './entry-feed.ts';
import { FleetGrid } from './grid.ts';
import { FleetModel, type FleetRow, MAX_SOURCES, totalsOf } from './model.ts';
import { TotalsLine } from './totals-line.ts';

const EVERY_MS = 1_000;
/** Where keys are for something else. */
const NOT_OURS = 'dialog, input, textarea, select, [contenteditable], header, aside, footer, #list, #detail';

/** Where the fleet's entries come from, and what a cell leads to. */
export interface FleetContext extends EntrySource {
  viewport: Pick<Viewport, 'scroller'>;
  goTo(patch: Partial<ViewState>): void;
}

export class Fleet {
  readonly #context: FleetContext;
  readonly #model = new FleetModel();
  readonly #grid: FleetGrid;
  readonly #totals = new TotalsLine(() => updateView({ ...LOG_ALONE, running: true }, 'replace'));
  readonly #notes = document.createElement('p');
  readonly #feed: EntryFeed;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** The log's time at which the stream was last live; with a broken stream, silence is not the sources'. */
  #now = Date.now();

  constructor(context: FleetContext, host: HTMLElement) {
    this.#context = context;
    this.#grid = new FleetGrid({
      onOpen: (row, column) => this.#open(row, column),
      onSort: (sort) => updateView({ sort }, 'replace'),
    });
    this.#notes.className = 'notes warn';
    host.replaceChildren(this.#totals.element, this.#notes, this.#grid.element);
    this.#feed = new EntryFeed(context, this.#model, () => this.#timer !== undefined && this.#show());
    effect(() => {
      const isOpen = viewState.value.fleet;
      untracked(() => this.#toggle(isOpen));
    });
    effect(() => {
      // The values are not used: reading them shows the figures anew when either changes.
      void viewState.value.sort;
      void streamState.value;
      untracked(() => this.#timer !== undefined && this.#show());
    });
    document.addEventListener('keydown', (event) => this.#press(event), { capture: true });
  }

  #toggle(isOpen: boolean): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    document.documentElement.toggleAttribute('data-fleet', isOpen);
    if (!isOpen) {
      if (this.#grid.hasFocus) this.#context.viewport.scroller.focus({ preventScroll: true });
      return;
    }
    this.#show();
    this.#timer = setInterval(() => document.visibilityState === 'visible' && this.#show(), EVERY_MS);
    const { activeElement } = document;
    if (activeElement === document.body || activeElement === this.#context.viewport.scroller)
      this.#grid.focus();
  }

  #show(): void {
    const stream = streamState.value;
    if (stream.state === 'live') this.#now = Date.now() + stream.clockOffset;
    const rows = this.#model.rows(this.#now);
    this.#totals.show(totalsOf(rows));
    setText(this.#notes, this.#notesOf(stream.state === 'live').join(' · '));
    this.#grid.show(rows, viewState.value.sort);
  }

  #notesOf(isLive: boolean): string[] {
    const notes: string[] = [];
    const { narrow } = viewState.value;
    if (!isLive) notes.push(`not live: the figures are those of ${clockOf(this.#now)}`);
    if (this.#feed.isCounting) notes.push('counting what came before');
    if (this.#model.isOverfull) notes.push(`more than ${MAX_SOURCES} sources: those heard last are shown`);
    if (narrow && Object.keys(filter.value.server).length > 0)
      notes.push('only what the gateway’s filter lets through');
    return notes;
  }

  #press(event: KeyboardEvent): void {
    const { fleet, timeline } = viewState.value;
    if (!fleet || timeline !== '' || event.ctrlKey || event.metaKey || event.altKey || event.isComposing)
      return;
    const { target } = event;
    if (!(target instanceof Element) || target.closest(NOT_OURS)) return;
    if (event.key.length === 1 && !viewState.value.keys) return;
    // A focused button handles Enter itself: a column's title sorts.
    if (event.key === 'Enter' && target.closest('button')) return;
    if (!this.#grid.press(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Shows the lines behind a cell. */
  #open(row: FleetRow, column: Column): void {
    const terms = `source:${quoted(row.source)} ${column.behind(row)}`.trim();
    const id = column.key === 'last' ? row.last?.id : undefined;
    this.#context.goTo({
      fleet: false,
      q: terms,
      hl: '',
      level: '',
      range: undefined,
      at: id ?? '',
      follow: id === undefined,
    });
  }
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
