// A run as a picture, or two of them on one scale: over the log while the URL names them. What is pointed at is shown as an entry, and
// Enter leads to it in the log; the browser's way back, or the key, leads to the picture again.

import type { Prices } from '@llm-streamer/shared/api-types.ts';
import { matches } from '@llm-streamer/shared/channels.ts';
import { effect, untracked } from '@preact/signals';
import type { Viewport } from '../log/viewport.ts';
import type { EntrySource } from '../pictures/entry-feed.ts';
import { whenFocusIsFree } from '../pictures/focus.ts';
import { LogClock } from '../pictures/log-clock.ts';
import { logView } from '../pictures/log-view.ts';
import { listenToPictureKeys } from '../pictures/picture-keys.ts';
import { visible } from '../pictures/words.ts';
import { reader } from '../state/run-state.ts';
import { cursorRow, streamState, updateView, viewState } from '../state/store.ts';
import type { ViewState } from '../state/view-state.ts';
import type { EntryRow } from '../stream/row.ts';
import '../../styles/timeline.css';
import { fetchPrices } from './cost.ts';
import { RunFeed } from './feed.ts';
import type { Picture } from './model.ts';
import { RunInput } from './run-input.ts';
import { RunView } from './run-view.ts';
import { PART_KINDS, type PartKind, type Span } from './span.ts';
import { entryText, PART_WORDS } from './words.ts';

/** A run that goes on is drawn this often. After each drawing it rests nine times as long, so that drawing takes a tenth of the time at most. */
const EVERY_MS = 200;
const LEAST_REST = 9;

/** Where the entries of the channels that are shown come from, and what an entry leads to. */
export interface TimelineContext extends EntrySource {
  viewport: Pick<Viewport, 'scroller'>;
  goTo(patch: Partial<ViewState>): void;
}

interface ShownRun {
  key: string;
  feed: RunFeed;
  view: RunView;
  picture: Picture | undefined;
  /** Whether entries have come since it was drawn. */
  isChanged: boolean;
}

export class Timeline {
  readonly #context: TimelineContext;
  readonly #runs = document.createElement('div');
  readonly #entry = document.createElement('p');
  readonly #legend = legend();
  readonly #compare: HTMLButtonElement;
  readonly #input: RunInput;
  #shown: ShownRun[] = [];
  #active = 0;
  #prices: Prices | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #restUntil = 0;
  readonly #clock = new LogClock();
  /** The entries that were left for the log, by run: the way back leads to them. */
  readonly #left = new Map<string, string>();

  constructor(context: TimelineContext, host: HTMLElement) {
    this.#context = context;
    this.#input = new RunInput(context.session.buffer, () => this.#focus());
    const other = button('other run', 'see another run (o)', () => this.#askForOther());
    this.#compare = button('compare', 'with another run (c)', () => this.#toggleCompare());
    const bar = document.createElement('div');
    bar.className = 'actions';
    const spacer = document.createElement('span');
    spacer.className = 'spacer-x';
    const close = button('✕', 'close (Esc)', () => this.#close());
    close.ariaLabel = 'Close timeline';
    bar.append(this.#legend, spacer, this.#input.element, other, this.#compare, close);
    this.#runs.className = 'runs';
    this.#entry.className = 'entry';
    this.#entry.role = 'status';
    host.replaceChildren(bar, this.#runs, this.#entry);
    context.onEntry((row) => {
      for (const { feed } of this.#shown) feed.onEntry(row);
    });
    context.onCleared(() => this.#stop());
    effect(() => {
      const { timeline, versus } = viewState.value;
      // Entries that come before the stream is open would be neither in the history that is read nor among the live ones.
      const isLive = streamState.value.state === 'live';
      untracked(() => this.#apply(timeline, timeline === '' ? '' : versus, isLive));
    });
    listenToPictureKeys(
      () => viewState.value.timeline !== '',
      (key, at) => this.#press(key, at),
    );
  }

  #apply(timeline: string, versus: string, isLive: boolean): void {
    document.documentElement.toggleAttribute('data-timeline', timeline !== '');
    this.#compare.ariaPressed = String(versus !== '');
    const wanted = [...new Set([timeline, versus])].filter((key) => key !== '');
    if (wanted.length === 0) {
      this.#stop();
      return;
    }
    if (!isLive && (this.#shown.length === 0 || this.#shown.some(({ feed }) => feed.isBroken))) return;
    const before = this.#shown;
    this.#shown = wanted.map(
      (key) => before.find((run) => run.key === key && !run.feed.isBroken) ?? this.#show(key),
    );
    for (const run of before) if (!this.#shown.includes(run)) run.feed.stop();
    if (before.length === this.#shown.length && before.every((run, i) => run === this.#shown[i])) return;
    this.#active = Math.min(this.#active, this.#shown.length - 1);
    this.#runs.replaceChildren(...this.#shown.map(({ view }) => view.element));
    this.#price().catch(() => {}); // a picture without costs
    this.#timer ??= setInterval(() => this.#tick(), EVERY_MS);
    this.#draw();
    whenFocusIsFree(this.#context.viewport.scroller, () => this.#focus());
  }

  /** Prices change so seldom that a reload of the page is enough. */
  async #price(): Promise<void> {
    this.#prices ??= await fetchPrices();
    for (const run of this.#shown) run.isChanged = true;
  }

  #show(key: string): ShownRun {
    const run: ShownRun = {
      key,
      feed: new RunFeed({
        key,
        reader: reader.value.owner,
        channels: viewState.value.channels,
        onChange: () => {
          run.isChanged = true;
        },
      }),
      view: new RunView(key, {
        onOpen: (row) => this.#open(key, row),
        onEntry: (row, span, isChosen) => {
          if (isChosen) this.#active = this.#shown.indexOf(run);
          this.#tell(run, row, span);
        },
      }),
      picture: undefined,
      isChanged: true,
    };
    const at = cursorRow.value;
    run.view.want(this.#left.get(key) ?? (at?.kind === 'entry' ? at.id : undefined));
    return run;
  }

  #stop(): void {
    const hadFocus = this.#shown.some(({ view }) => view.hasFocus);
    for (const { feed } of this.#shown) feed.stop();
    this.#shown = [];
    this.#runs.replaceChildren();
    this.#entry.textContent = '';
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (hadFocus) this.#context.viewport.scroller.focus({ preventScroll: true });
  }

  #tick(): void {
    const begin = performance.now();
    if (document.visibilityState !== 'visible' || begin < this.#restUntil) return;
    this.#draw();
    const end = performance.now();
    this.#restUntil = end + (end - begin) * LEAST_REST;
  }

  #draw(): void {
    const isLive = streamState.value.state === 'live';
    const { now } = this.#clock;
    const changed = this.#shown.filter((run) => run.isChanged || run.picture?.isRunning);
    for (const run of changed) {
      run.isChanged = false;
      run.picture = run.feed.model.picture(now);
      if (run.picture.ending !== '') run.feed.stopFollowing();
    }
    for (const item of this.#legend.children) {
      const kind = item.firstElementChild?.className as PartKind;
      (item as HTMLElement).hidden = !this.#shown.some(
        ({ picture }) => (picture?.totals.byKind[kind] ?? 0) > 0,
      );
    }
    // A change of one run may change the scale of both.
    const pictures = changed.length === 0 ? [] : this.#shown;
    const length = Math.max(...this.#shown.map(({ picture }) => (picture ? RunView.lengthOf(picture) : 1)));
    for (const { view, picture, feed } of pictures)
      if (picture) view.show(picture, length, feed.notes(picture, isLive), this.#prices);
  }

  #tell({ picture }: ShownRun, row: EntryRow | undefined, span: Span | undefined): void {
    const after = row && picture?.root.from !== undefined ? row.time - picture.root.from : 0;
    this.#entry.className = `entry${row ? ` l${row.level}` : ''}`;
    this.#entry.textContent = row
      ? entryText(row, after)
      : `${visible(span?.name ?? '', 80)}: ${span?.kind === 'unknown' ? 'no entry of this span has come' : 'no entry of its own'}`;
  }

  #press(key: string, target: Element): boolean {
    // A focused button handles these itself.
    if ((key === 'Enter' || key === ' ') && target.closest('button')) return false;
    if (key === 'Escape' || key === 't') this.#close();
    else if (key === 'c') this.#toggleCompare();
    else if (key === 'o') this.#askForOther();
    else return this.#current?.view.press(key) ?? false;
    return true;
  }

  /** The run that keys are for. */
  get #current(): ShownRun | undefined {
    return this.#shown.find(({ view }) => view.hasFocus) ?? this.#shown[this.#active];
  }

  #focus(): void {
    this.#current?.view.focus();
  }

  #toggleCompare(): void {
    if (viewState.value.versus !== '') updateView({ versus: '' }, 'replace');
    else this.#ask('compare with run', (versus) => updateView({ versus }, 'replace'));
  }

  #askForOther(): void {
    this.#ask('see run', (timeline) => updateView({ timeline, versus: '' }, 'replace'));
  }

  #ask(purpose: string, choose: (run: string) => void): void {
    const shown = this.#shown.map(({ key }) => key);
    this.#input.open(purpose, shown, this.#clock.now, choose);
  }

  #close(): void {
    this.#left.clear();
    updateView({ timeline: '', versus: '' }, 'replace');
  }

  /** Shows an entry in the log. */
  #open(key: string, row: EntryRow): void {
    if (row.id === undefined) return;
    if (this.#left.size > 100) this.#left.clear();
    this.#left.set(key, row.id);
    const isShown = viewState.value.channels.some((pattern) => matches(pattern, row.channel));
    this.#context.goTo({ ...logView('', row.id), ...(!isShown && { channels: [row.channel] }) });
  }
}

function button(text: string, title: string, onClick: () => void): HTMLButtonElement {
  const element = document.createElement('button');
  element.type = 'button';
  element.textContent = text;
  element.title = title;
  element.addEventListener('click', onClick);
  return element;
}

function legend(): HTMLElement {
  const element = document.createElement('span');
  element.className = 'legend dim';
  for (const kind of PART_KINDS) {
    if (kind === 'work') continue;
    const item = element.appendChild(document.createElement('span'));
    const sample = item.appendChild(document.createElement('i'));
    sample.className = kind;
    item.append(` ${PART_WORDS[kind]}`);
  }
  return element;
}
