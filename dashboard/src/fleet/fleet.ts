// The fleet view: from when it is first opened it counts the entries of the stream, beginning with those that the page already holds, and
// shows the figures once a second while it is open. It is loaded then.

import { effect, untracked } from '@preact/signals';
import { quoted } from '../log/quoted.ts';
import type { Viewport } from '../log/viewport.ts';
import { whenFocusIsFree } from '../pictures/focus.ts';
import { logView } from '../pictures/log-view.ts';
import { showNotice, streamState, updateView, viewState } from '../state/store.ts';
import type { ViewState } from '../state/view-state.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import type { Session } from '../stream/session.ts';
import '../../styles/fleet.css';
import { EntryFeed, type EntrySource } from '../pictures/entry-feed.ts';
import { LogClock } from '../pictures/log-clock.ts';
import { notesOf } from '../pictures/notes.ts';
import { listenToPictureKeys } from '../pictures/picture-keys.ts';
import { setText } from '../pictures/set-text.ts';
import { COLUMNS, type Column } from './columns.ts';
import { Comparison } from './comparison.ts';
import { EarlierReader } from './earlier-calls.ts';
import { FleetGrid } from './grid.ts';
import { FleetModel, type FleetRow, MAX_SOURCES, rowsOf, totalsOf } from './model.ts';
import { ERRORS_MS, type SourceFigures } from './source.ts';
import { TotalsLine } from './totals-line.ts';

const EVERY_MS = 1_000;
/** The time in one task for making figures: those of hundreds of sources take several. */
const SLICE_MS = 4;

/** Where the fleet's entries come from, and what a cell leads to. */
export interface FleetContext extends EntrySource {
  session: Pick<Session, 'buffer' | 'historyQuery'>;
  viewport: Pick<Viewport, 'scroller'>;
  goTo(patch: Partial<ViewState>): void;
}

export class Fleet {
  readonly #context: FleetContext;
  readonly #model = new FleetModel();
  readonly #grid: FleetGrid;
  readonly #totals: TotalsLine;
  readonly #pick = document.createElement('button');
  readonly #comparison: Comparison;
  /** Whether a click picks a row for the comparison, and does not open its lines. */
  #isPicking = false;
  readonly #notes = document.createElement('p');
  readonly #feed: EntryFeed;
  readonly #earlier: EarlierReader;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Set while figures are being made. */
  #slice: ReturnType<typeof setTimeout> | undefined;
  readonly #clock = new LogClock();

  constructor(context: FleetContext, host: HTMLElement) {
    this.#context = context;
    this.#grid = new FleetGrid(host, {
      onOpen: (row, column) => (this.#isPicking ? this.#compare(row.source) : this.#open(row, column)),
      onSort: (sort) => updateView({ sort }, 'replace'),
      coveredBelow: () => this.#comparison.element.offsetHeight,
    });
    this.#pick.type = 'button';
    this.#pick.title = 'pick two rows (c on a row)';
    this.#pick.addEventListener('click', () => this.#setPicking(!this.#isPicking));
    this.#totals = new TotalsLine(() => updateView({ ...LOG_ALONE, running: true }, 'replace'), this.#pick);
    this.#comparison = new Comparison(
      context,
      (patch) => context.goTo(patch),
      () => {
        const source = viewState.value.compare.at(-1);
        updateView({ compare: [] }, 'replace');
        if (source !== undefined) this.#grid.focusOn(source);
      },
    );
    this.#notes.className = 'notes warn';
    const { element } = this.#comparison;
    host.replaceChildren(this.#totals.element, this.#notes, this.#grid.element, element);
    this.#setPicking(false);
    this.#earlier = new EarlierReader(context, (earlier) => {
      this.#model.addEarlierCalls(earlier);
      if (this.#timer !== undefined) this.#show();
    });
    this.#feed = new EntryFeed(context, this.#model, () => this.#timer !== undefined && this.#show());
    effect(() => {
      const isOpen = viewState.value.fleet;
      untracked(() => this.#toggle(isOpen));
    });
    context.onCleared(() => {
      this.#stopSlice();
      this.#grid.release();
    });
    effect(() => {
      const { compare } = viewState.value;
      untracked(() => {
        this.#grid.mark(compare);
        this.#comparison.compare(compare);
        this.#comparison.show(this.#clock.now);
      });
    });
    effect(() => {
      // The values are not used: reading them shows the figures anew when either changes.
      void viewState.value.sort;
      void streamState.value;
      untracked(() => this.#timer !== undefined && this.#show());
    });
    listenToPictureKeys(
      () => viewState.value.fleet && viewState.value.timeline === '',
      // A focused button handles Enter itself: a column's title sorts.
      (key, target) => !(key === 'Enter' && target.closest('button')) && this.#press(key),
    );
  }

  #toggle(isOpen: boolean): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stopSlice();
    document.documentElement.toggleAttribute('data-fleet', isOpen);
    if (!isOpen) {
      if (this.#grid.hasFocus) this.#context.viewport.scroller.focus({ preventScroll: true });
      return;
    }
    this.#show();
    this.#timer = setInterval(() => document.visibilityState === 'visible' && this.#show(), EVERY_MS);
    whenFocusIsFree(this.#context.viewport.scroller, () => this.#grid.focus());
  }

  #show(): void {
    const { now } = this.#clock;
    if (this.#slice === undefined) this.#makeSlice(this.#model.figures(now), [], now);
  }

  #makeSlice(figures: Iterator<SourceFigures>, made: SourceFigures[], now: number): void {
    const deadline = performance.now() + SLICE_MS;
    for (let next = figures.next(); !next.done; next = figures.next()) {
      made.push(next.value);
      if (performance.now() < deadline) continue;
      this.#slice = setTimeout(() => this.#makeSlice(figures, made, now));
      return;
    }
    this.#slice = undefined;
    this.#showRows(rowsOf(made), now);
  }

  #stopSlice(): void {
    clearTimeout(this.#slice);
    this.#slice = undefined;
  }

  #showRows(rows: readonly FleetRow[], now: number): void {
    const known = Math.min(ERRORS_MS, Math.max(0, now - this.#model.from));
    this.#totals.show(totalsOf(rows), known);
    setText(this.#notes, this.#notesOf(now));
    this.#grid.show(rows, viewState.value.sort);
    this.#comparison.show(now);
  }

  #notesOf(now: number): string {
    const own: string[] = [];
    if (this.#earlier.isReading) own.push('looking for tools that were called before, and have not answered');
    if (this.#model.isOverfull)
      own.push(`more than ${MAX_SOURCES} sources: backends and those heard last are shown`);
    return notesOf(now, this.#feed.isCounting, own);
  }

  #press(key: string): boolean {
    const source = key === 'c' ? this.#grid.focused : undefined;
    if (source === undefined) return this.#grid.press(key);
    this.#compare(source);
    return true;
  }

  /** Takes a source into the comparison, or out of it; the third takes the place of the first. */
  #compare(source: string): void {
    const before = viewState.value.compare;
    const rest = before.filter((other) => other !== source);
    const compare = rest.length < before.length ? rest : [...rest, source].slice(-2);
    updateView({ compare }, 'replace');
    if (compare.length === 2) this.#setPicking(false);
    else showNotice(compare[0] === undefined ? 'none is compared' : 'one more: c, or a click on it');
    if (compare.length === 1) this.#setPicking(true);
  }

  #setPicking(isPicking: boolean): void {
    this.#isPicking = isPicking;
    this.#pick.ariaPressed = String(isPicking);
    this.#pick.textContent = isPicking ? 'click two rows' : 'compare two';
  }

  /** Shows the lines behind a cell. */
  #open(row: FleetRow, column: Column): void {
    const isLast = column.key === 'last';
    const { waitingRun, column: worst } = row.trouble;
    if (isLast && waitingRun !== undefined) {
      updateView({ ...LOG_ALONE, timeline: waitingRun });
      return;
    }
    // What is wrong stands before the last line, and leads to the lines that show it.
    const { behind } = COLUMNS.find(({ key }) => isLast && key === worst) ?? column;
    const id = isLast && worst === undefined ? row.last?.id : undefined;
    this.#context.goTo(logView(`source:${quoted(row.source)} ${behind(row)}`.trim(), id));
  }
}
