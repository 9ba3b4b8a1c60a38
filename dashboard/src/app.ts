// The page's composition: builds session, viewport, cursor and history, and brings session and viewport to the view
// that the URL describes.

import { effect, untracked } from '@preact/signals';
import type { Series } from './charts/series.ts';
import { Cursor } from './cursor.ts';
import { FigurePublisher } from './figure-publisher.ts';
import { HistoryNavigator } from './history/history-navigator.ts';
import { ASK_AGAIN_MS, askWho } from './identity/ask-who.ts';
import { lazyModule } from './lazy.ts';
import type { Folds } from './log/folds.ts';
import { Viewport } from './log/viewport.ts';
import type { FilterCompiler } from './state/filter-compiler.ts';
import { personKey, profile, sessionKey, signIn } from './state/identity.ts';
import {
  cursorRow,
  EVERYTHING,
  filter,
  filterProblem,
  hits,
  isPictureOpen,
  isWrapped,
  linkedRun,
  opened,
  sharing,
  streamState,
  unfolded,
  updateView,
  viewState,
} from './state/store.ts';
import { streamQuery } from './state/stream-query.ts';
import type { ViewState } from './state/view-state.ts';
import { noticeMissing } from './state/when-wanted.ts';
import type { EntryRow } from './stream/row.ts';
import { Session } from './stream/session.ts';
import { tell } from './stream/tell.ts';

const gapModule = lazyModule(() => import('./history/load.ts'), noticeMissing('what loads gaps'));

const foldModule = lazyModule(() => import('./log/folds.ts'), noticeMissing('what folds rows'));

const filterModule = lazyModule(() => import('./state/filter-compiler.ts'), noticeMissing('the filter'));

export class App {
  readonly session: Session;
  readonly viewport: Viewport;
  readonly cursor: Cursor;
  readonly history: HistoryNavigator;
  readonly #listeners = new Set<(row: EntryRow) => void>();
  readonly #clearListeners = new Set<() => void>();
  readonly #figures: FigurePublisher;
  /** The view and the wrapping that session and viewport are at. */
  #applied: ViewState | undefined;
  #wrapped = false;
  /** The person and the query for which the stream was opened, and with which session. */
  #stream = '';
  #session = '';
  #asking: ReturnType<typeof setTimeout> | undefined;
  #compiler: FilterCompiler | undefined;
  /** What folds rows. It is loaded while the page asks who sits here; no stream is opened before, so that no rows collapse on screen. */
  #folds: typeof Folds | undefined;
  #hasAskedForFolds = false;
  /** Whether the first view's filter is known. No stream is opened before that, so that nothing is shown unfiltered. */
  #hasFilter = false;
  /** Set while the view's filter is not applied, because a module could not be loaded. */
  #lacksFilter = false;
  /** True from the start of a stream until the entry that its link names is shown. */
  #isArriving = true;
  /**
   * Set when the view is complete: from then on a change between following and holding is the reader's, for the URL.
   */
  #isSettled = false;

  constructor(log: HTMLElement) {
    this.session = new Session(
      {
        onEntry: (row) => {
          for (const listener of this.#listeners) tell(listener, row);
        },
        onFrames: () => this.viewport.invalidate(),
        onRearranged: () => this.viewport.rearrange(),
        onCleared: () => {
          this.#isArriving = true;
          this.#isSettled = false;
          cursorRow.value = undefined;
          this.viewport.clear();
          for (const listener of this.#clearListeners) listener();
        },
        onStreamState: (state) => {
          streamState.value = state;
          this.viewport.invalidate();
          if (state.state !== 'live') return;
          if (this.#lacksFilter) this.#apply(viewState.value, isWrapped.value);
          if (!this.#folds) this.#loadFolds().catch(reportError);
        },
        onSharing: (streams, tabs) => {
          sharing.value = { streams, tabs };
        },
        onLive: () => {
          if (!this.#isArriving) return;
          this.#isArriving = false;
          this.viewport.whenBuilt(() => {
            if (!viewState.value.follow) this.viewport.hold();
            this.#isSettled = true;
          });
          this.#goToLink();
        },
      },
      new URLSearchParams(location.search).get('shared') !== '0',
    );
    const options = {
      test: (row: EntryRow) => filter.value.test(row),
      folds: undefined,
      unfolded: unfolded.value,
      columns: 0,
      headLines: 0,
      why: (row: EntryRow) => filter.value.why(row),
    };
    const display = {
      get cursor() {
        return cursorRow.value;
      },
      get hits() {
        return hits.value;
      },
      get linkedRun() {
        return linkedRun.value;
      },
      get timeMode() {
        return viewState.value.time;
      },
      get isCovered() {
        return isPictureOpen.value;
      },
    };
    this.viewport = new Viewport(log, this.session, options, display, {
      onPainted: () => {
        this.#figures.onPainted();
        const follow = this.viewport.follow.mode === 'follow';
        if (this.#isSettled && follow !== viewState.value.follow) updateView({ follow }, 'replace');
      },
      onItemClicked: (item) => this.cursor.open(item),
      onLoadClicked: (gap) =>
        gapModule()
          .then((loaded) => loaded?.loadGap(this.session, gap))
          .catch(reportError),
    });
    this.cursor = new Cursor(this.viewport);
    this.history = new HistoryNavigator(this.session, this.viewport);
    this.#figures = new FigurePublisher(this.session, this.viewport);
    effect(() => {
      const view = viewState.value;
      const wrapped = isWrapped.value;
      void profile.value;
      untracked(() => this.#apply(view, wrapped));
    });
    effect(() => {
      // The values are not used: reading them makes a change of any draw the log again.
      void cursorRow.value;
      void linkedRun.value;
      void isPictureOpen.value;
      this.viewport.invalidate();
    });
    addEventListener('online', this.nudge);
    document.addEventListener(
      'visibilitychange',
      () => document.visibilityState === 'visible' && this.nudge(),
    );
    addEventListener('pagehide', () => this.session.close());
    addEventListener('pageshow', (event) => event.persisted && location.reload());
    setInterval(() => this.#everySecond(), 1_000);
    this.#loadFolds().catch(reportError);
    this.#identify().catch(reportError);
  }

  /** After the network came back, the page became visible or the reader asked: what waits is tried now. */
  readonly nudge = (): void => {
    if (profile.peek() ?? signIn.peek()) this.session.nudge();
    else this.#identify().catch(reportError);
  };

  /** Finds out who sits here, and asks again until the gateway answers. */
  async #identify(): Promise<void> {
    clearTimeout(this.#asking);
    const answer = await askWho();
    if (profile.value ?? signIn.value) return;
    profile.value = answer.profile;
    signIn.value = answer.ways;
    if (answer.profile) return;
    streamState.value = answer.state;
    if (!answer.ways) this.#asking = setTimeout(this.nudge, ASK_AGAIN_MS);
  }

  /** Calls `listener` for each entry that comes from now on. */
  onEntry(listener: (row: EntryRow) => void): void {
    this.#listeners.add(listener);
  }

  /** Calls `listener` each time that all entries go, since another stream begins. */
  onCleared(listener: () => void): void {
    this.#clearListeners.add(listener);
  }

  /** Changes the view, and goes to the entry or the range that it then names. */
  goTo(patch: Partial<ViewState>): void {
    const before = this.#stream;
    updateView(patch);
    // A stream that is opened anew goes there by itself, when its replay is complete.
    if (this.#stream === before) this.#goToLink();
  }

  #goToLink(): void {
    this.history.goToLink((row) => this.cursor.show(row));
  }

  /** From now on `series` counts the entries, those that are here first. */
  countWith(series: Series): void {
    const count = (row: EntryRow) => series.countEntry(row);
    for (const row of this.session.buffer.entryRows()) tell(count, row);
    this.onEntry(count);
    this.#figures.series = series;
  }

  // Connects again where the stream's query differs, and builds the list anew where its rows or their lines do.
  #apply(next: ViewState, wrapped: boolean): void {
    const last = this.#applied;
    const wrapChanged = !last || this.#wrapped !== wrapped;
    this.#applied = next;
    this.#wrapped = wrapped;
    const filterChanged =
      !last ||
      this.#lacksFilter ||
      last.q !== next.q ||
      last.level !== next.level ||
      last.range !== next.range;
    const hitsChanged = next.hl !== last?.hl || filterChanged;
    if (hitsChanged) this.#compile(next);
    if (hitsChanged || next.time !== last?.time) this.viewport.restyle();
    this.viewport.scroller.classList.toggle('nowrap', !wrapped);
    if (filterChanged || wrapChanged || last.fold !== next.fold) {
      // Who asks for the reports of numbers by name wants to see each.
      const folds = next.fold && !/(^| )event:server\.metrics/.test(next.q) ? this.#folds : undefined;
      const { test, why } = filter.value;
      this.viewport.rebuild({ folds, test, why }, wrapped);
    }
    this.#openStream(streamQuery(next, filter.value).toString());
    if (next.follow && last?.follow === false) this.viewport.latest();
    if (!next.follow && last?.follow && this.#isSettled) this.viewport.hold();
  }

  // Another query or another person begins anew; another session of the same person goes on where the last one ended.
  #openStream(query: string): void {
    const whom = profile.value;
    if (!whom || !this.#hasFilter || !this.#hasAskedForFolds) return;
    const stream = `${personKey(whom)} ${query}`;
    const session = sessionKey(whom);
    const isNew = stream !== this.#stream;
    const isOther = session !== this.#session;
    this.#stream = stream;
    this.#session = session;
    if (isNew) {
      opened.value = undefined;
      this.session.open(new URLSearchParams(query), session);
    } else if (isOther) this.session.resume(session);
  }

  #compile(next: ViewState): void {
    this.#lacksFilter = false;
    if (next.q === '' && next.hl === '' && next.level === '' && !next.range) {
      filter.value = EVERYTHING;
      hits.value = [];
      filterProblem.value = '';
    } else if (!this.#compiler?.compile(next)) {
      this.#loadFilters(next).catch(reportError);
      return;
    }
    this.#hasFilter = true;
  }

  /** Loads what the view's filter needs. Until then, the filter applied stays the one before. */
  async #loadFilters(view: ViewState): Promise<void> {
    const loaded = await filterModule();
    const isLoaded = this.#compiler ? await this.#compiler.loadPatterns() : loaded !== undefined;
    if (loaded) this.#compiler ??= new loaded.FilterCompiler();
    if (isLoaded) {
      this.#applied = undefined; // so that filter and highlights are compiled anew
      this.#apply(viewState.value, isWrapped.value);
      return;
    }
    // What else the reader has changed meanwhile does not matter; another filter is loaded for by its own view.
    const { q, hl, level, range } = viewState.value;
    if (q !== view.q || hl !== view.hl || level !== view.level || range !== view.range) return;
    const what = this.#compiler ? 'regular expressions' : 'what filters';
    filterProblem.value = `${what} could not be loaded`;
    this.#lacksFilter = true;
    this.#hasFilter = true;
    this.#openStream(streamQuery(viewState.value, filter.value).toString());
  }

  /** Loads what folds rows; where that fails, each entry has a row of its own. */
  async #loadFolds(): Promise<void> {
    this.#folds = (await foldModule())?.Folds;
    this.#hasAskedForFolds = true;
    this.#applied = undefined; // so that the list is built anew
    this.#apply(viewState.value, isWrapped.value);
  }

  #everySecond(): void {
    this.viewport.tick();
    this.#figures.everySecond();
  }
}
