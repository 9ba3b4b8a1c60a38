// The page's composition: session, viewport and figures, brought to the view that the URL says.

import type { Level } from '@llm-streamer/shared/entry.ts';
import { effect } from '@preact/signals';
import { Series } from './charts/series.ts';
import { HistoryNavigator } from './history/history-navigator.ts';
import { lazyModule } from './lazy.ts';
import { Cursor } from './log/cursor.ts';
import { compileFilter, type Filter } from './log/filter.ts';
import { FilterError, PatternsMissing } from './log/filter-terms.ts';
import { Viewport } from './log/viewport.ts';
import type { Pattern, PatternOf } from './regex/pattern.ts';
import { FigurePublisher } from './state/figure-publisher.ts';
import { filterProblem, link, opened, say, sharing, update, viewState } from './state/store.ts';
import type { ViewState } from './state/view-state.ts';
import type { EntryRow } from './stream/row.ts';
import { Session } from './stream/session.ts';

const loading = lazyModule(() => import('./history/load.ts'), 'what loads gaps');

const matching = lazyModule(() => import('./regex/bounded.ts'), 'what matches regular expressions');

const NARROW = '(max-width: 700px)';

export class App {
  readonly session: Session;
  readonly viewport: Viewport;
  readonly series = new Series();
  readonly cursor: Cursor;
  readonly past: HistoryNavigator;
  /** Told of each entry; the run panel and the completion listen. */
  readonly listeners = new Set<(row: EntryRow) => void>();
  /** The last that compiled. */
  filter: Filter = compileFilter('', '');
  #applied: ViewState | undefined;
  /** For regular expressions; loaded with the first one. */
  #patternOf: PatternOf | undefined;
  #stream = '';
  #narrow = matchMedia(NARROW);
  /** The view is new: what its link points at is still to be shown. */
  #isArriving = true;
  /** From here on it is the reader who follows or holds, which the URL then says. */
  #isSettled = false;
  readonly #figures: FigurePublisher;

  constructor(log: HTMLElement) {
    this.session = new Session(
      {
        onEntry: (row) => {
          this.series.add(row);
          for (const listener of this.listeners) listener(row);
        },
        onFrames: () => this.viewport.invalidate(),
        onRearranged: () => this.viewport.rearrange(),
        onCleared: () => {
          this.#isArriving = true;
          this.#isSettled = false;
          this.viewport.clear();
        },
        onStreamState: (state) => {
          link.value = state;
          this.viewport.invalidate();
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
          this.past.arrive((row) => this.cursor.show(row));
        },
      },
      new URLSearchParams(location.search).get('shared') !== '0',
    );
    const unfolded = new Set<string>();
    const options = {
      test: (row: EntryRow) => this.filter.test(row),
      folding: true,
      unfolded,
      columns: 0,
    };
    this.viewport = new Viewport(log, this.session, options, {
      painted: () => {
        this.#figures.changed();
        const follow = this.viewport.follow.mode === 'follow';
        if (this.#isSettled && follow !== viewState.value.follow) update({ follow }, 'replace');
      },
      opened: (item) => this.cursor.open(item),
      load: (gap) =>
        loading()
          .then((part) => part?.loadGap(this.session, gap))
          .catch(reportError),
    });
    this.cursor = new Cursor(this.viewport, unfolded);
    this.past = new HistoryNavigator(this.session, this.viewport);
    this.#figures = new FigurePublisher(this.session, this.viewport, this.series);
    this.#narrow.addEventListener('change', () => this.#apply(viewState.value, true));
    effect(() => this.#apply(viewState.value));
    addEventListener('online', () => this.session.nudge());
    document.addEventListener(
      'visibilitychange',
      () => document.visibilityState === 'visible' && this.session.nudge(),
    );
    addEventListener('pagehide', () => this.session.close());
    addEventListener('pageshow', (event) => event.persisted && location.reload());
    setInterval(() => this.#everySecond(), 1_000);
  }

  /** The query of `/stream` for a view. */
  streamQuery(state: ViewState = viewState.value, filtered = state.narrow): URLSearchParams {
    const query = new URLSearchParams({ channels: state.channels.join(',') });
    if (filtered) for (const [key, value] of Object.entries(this.filter.server)) query.set(key, value);
    if (state.since !== '') query.set('since', state.since);
    else query.set('tail', String(state.tail));
    return query;
  }

  level(level: Level | ''): void {
    update({ level });
  }

  copy(text: string, what: string, note = ''): void {
    const copied = async () => {
      await navigator.clipboard.writeText(text);
      say(`${what} copied${note}`);
    };
    // Without a secure context there is no clipboard: the text is shown for copying by hand.
    copied().catch(() => prompt(`Copy ${what}${note}:`, text));
  }

  // Brings the page to a view: reconnects where the stream's query differs, rebuilds where the rows do.
  #apply(next: ViewState, force = false): void {
    const last = this.#applied;
    this.#applied = next;
    const wrap = next.wrap ?? this.#narrow.matches;
    if (!last || last.q !== next.q || last.level !== next.level || last.range !== next.range)
      this.#compile(next);
    const hits = next.hl === last?.hl && next.q === last?.q ? undefined : this.#hits(next.hl);
    if (next.time !== last?.time || hits) this.viewport.restyle({ time: next.time, ...(hits && { hits }) });
    this.viewport.scroller.classList.toggle('nowrap', !wrap);
    const differs = !last || last.q !== next.q || last.level !== next.level || last.range !== next.range;
    if (differs || force || last.fold !== next.fold || last.wrap !== next.wrap) {
      this.viewport.rebuild({ folding: next.fold, test: this.filter.test }, wrap);
    }
    const stream = this.streamQuery(next).toString();
    if (stream !== this.#stream) {
      this.#stream = stream;
      opened.value = undefined;
      this.session.open(new URLSearchParams(stream));
    }
    if (next.follow && last?.follow === false) this.viewport.latest();
    if (!next.follow && last?.follow && this.#isSettled) this.viewport.hold();
  }

  #compile(next: ViewState): void {
    try {
      const filter = compileFilter(next.q, next.level, this.#patternOf);
      const { range } = next;
      const { test } = filter;
      this.filter = range
        ? { ...filter, test: (row) => row.time >= range.from && row.time <= range.to && test(row) }
        : filter;
      filterProblem.value = '';
    } catch (error) {
      if (error instanceof PatternsMissing) this.#loadPatterns();
      else if (error instanceof FilterError) filterProblem.value = error.message;
      else throw error;
    }
  }

  #hits(highlight: string): Pattern[] {
    try {
      return [...this.filter.hits, ...compileFilter(highlight, '', this.#patternOf).hits];
    } catch (error) {
      if (error instanceof PatternsMissing) this.#loadPatterns();
      return this.filter.hits;
    }
  }

  /** Until it is loaded, the view stays as it was. */
  #loadPatterns(): void {
    matching()
      .then((loaded) => {
        if (loaded) {
          this.#patternOf = loaded.boundedPattern;
          this.#applied = undefined; // all of the view is brought about anew
          this.#apply(viewState.value);
        } else filterProblem.value = 'regular expressions could not be loaded';
      })
      .catch(reportError);
  }

  #everySecond(): void {
    this.viewport.tick();
    this.series.advance(Math.floor(Date.now() / 1000));
    this.#figures.everySecond();
  }
}
