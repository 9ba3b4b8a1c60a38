// What runs now, over the log: from when it is first opened it counts the entries of the stream, beginning with those that the page
// already holds, and shows each live generation as a line that grows. It is loaded then.

import { effect, untracked } from '@preact/signals';
import { EarlierReader, type EarlierSource } from '../fleet/earlier-calls.ts';
import { quoted } from '../log/quoted.ts';
import type { Viewport } from '../log/viewport.ts';
import { EntryFeed, type EntrySource } from '../pictures/entry-feed.ts';
import { whenFocusIsFree } from '../pictures/focus.ts';
import { LogClock } from '../pictures/log-clock.ts';
import { logView } from '../pictures/log-view.ts';
import { notesOf } from '../pictures/notes.ts';
import { listenToPictureKeys } from '../pictures/picture-keys.ts';
import { setText } from '../pictures/set-text.ts';
import { plural, wholeSeconds } from '../pictures/words.ts';
import { streamState, updateView, viewState } from '../state/store.ts';
import { LOG_ALONE, type ViewState } from '../state/view-state.ts';
import '../../styles/running.css';
import { type Generation, MAX_NAME } from './generation.ts';
import { HangingCalls } from './hanging-calls.ts';
import { RunningList } from './list.ts';
import { FAILED_MS, MAX_RUNNING, RunningModel } from './model.ts';
import { Places } from './places.ts';

const EVERY_MS = 250;
/** For readers who asked for less motion. */
const CALM_EVERY_MS = 1_000;

const lessMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** Where the entries come from, and what a line leads to. */
export interface RunningContext extends EntrySource {
  session: EarlierSource['session'];
  viewport: Pick<Viewport, 'scroller'>;
  goTo(patch: Partial<ViewState>): void;
}

export class Running {
  readonly #context: RunningContext;
  readonly #model = new RunningModel();
  readonly #places = new Places();
  readonly #feed: EntryFeed;
  readonly #list: RunningList;
  readonly #totals = document.createElement('p');
  readonly #notes = document.createElement('p');
  readonly #others = document.createElement('p');
  readonly #hanging: HangingCalls;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #clock = new LogClock();

  constructor(context: RunningContext, host: HTMLElement) {
    this.#context = context;
    this.#list = new RunningList((generation) => this.#open(generation));
    this.#notes.className = 'notes warn';
    this.#others.className = 'notes';
    this.#hanging = new HangingCalls((timeline) => updateView({ ...LOG_ALONE, timeline }));
    host.replaceChildren(this.#totals, this.#notes, this.#hanging.element, this.#list.element, this.#others);
    this.#feed = new EntryFeed(context, this.#model, () => this.#timer !== undefined && this.#show());
    effect(() => {
      const isOpen = viewState.value.running;
      untracked(() => this.#toggle(isOpen));
    });
    effect(() => {
      // The value is not used: reading it shows at once that the stream is broken, or live again.
      void streamState.value;
      untracked(() => this.#timer !== undefined && this.#show());
    });
    new EarlierReader(context, (earlier) => this.#model.addEarlierCalls(earlier));
    listenToPictureKeys(
      () => viewState.value.running,
      // A focused button handles Enter itself.
      (key, target) => !(key === 'Enter' && target.closest('button')) && this.#list.press(key),
    );
  }

  #toggle(isOpen: boolean): void {
    if (isOpen === (this.#timer !== undefined)) return;
    document.documentElement.toggleAttribute('data-running', isOpen);
    if (!isOpen) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      if (this.#list.hasFocus) this.#context.viewport.scroller.focus({ preventScroll: true });
      return;
    }
    this.#tick();
    whenFocusIsFree(this.#context.viewport.scroller, () => this.#list.focus());
  }

  #tick(): void {
    if (document.visibilityState === 'visible') this.#show();
    this.#timer = setTimeout(() => this.#tick(), lessMotion.matches ? CALM_EVERY_MS : EVERY_MS);
  }

  #show(): void {
    const { now } = this.#clock;
    const running = this.#model.running(now);
    const { lines, others } = this.#places.assign(running, this.#model.failed(now), now, this.#list.held);
    const failures = this.#model.failures(now);
    const known = this.#model.knownMs(now);
    setText(
      this.#totals,
      [
        `${running.length.toLocaleString('en')} running`,
        ...stalledOf(running, now),
        failures > 0
          ? `${failures.toLocaleString('en')} failed in the last minute`
          : `none failed in ${known < FAILED_MS ? wholeSeconds(known) : 'the last minute'}`,
      ].join(' · '),
    );
    setText(this.#notes, this.#notesOf(now));
    // Until the ends of what came before are counted, most seem to hang.
    if (this.#feed.isCounting) return;
    this.#hanging.show(this.#model.hanging(now), now);
    setText(this.#others, this.#othersOf(lines.length, others, now));
    this.#list.show(lines, now);
  }

  #othersOf(lines: number, others: readonly Generation[], now: number): string {
    if (lines === 0) return 'Each generation that starts gets a line here, which grows until it ends.';
    if (others.length === 0) return '';
    return [`and ${others.length.toLocaleString('en')} more`, ...stalledOf(others, now)].join(' · ');
  }

  #notesOf(now: number): string {
    const overfull = `more than ${plural(MAX_RUNNING, 'generation')}: those without a sign, and those heard last, are here`;
    return notesOf(now, this.#feed.isCounting, this.#model.isOverfull(now) ? [overfull] : []);
  }

  /** Shows the lines of a generation; of one that failed, also the entry that says so. */
  #open({ source, run, lane, span, state, endId }: Generation): void {
    const terms = [`source:${quoted(source)}`];
    if (run !== undefined) terms.push(`run:${quoted(run)}`);
    // A name that is cut finds nothing.
    if (span !== undefined && span.length < MAX_NAME) terms.push(`span_id:${quoted(span)}`);
    else if (lane !== '' && lane.length < MAX_NAME) terms.push(`lane:${quoted(lane)}`);
    if (run === undefined) terms.push('event:generation.*');
    this.#context.goTo(logView(terms.join(' '), state === 'failed' ? endId : undefined));
  }
}

function stalledOf(generations: readonly Generation[], now: number): string[] {
  const stalled = generations.filter((generation) => generation.isStalled(now)).length;
  return stalled > 0 ? [`${stalled} without a sign`] : [];
}
