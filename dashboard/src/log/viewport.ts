// The log on screen: at most ~150 recycled row nodes over 100,000 rows, one pass per animation frame. Rows stand in a
// layer pinned to the scroller and are placed by arithmetic; the scrollbar is only read, and written to keep its place.

import type { Pattern } from '../regex/pattern.ts';
import type { GapRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { columnsOf } from './columns.ts';
import { Follow, type Here } from './follow.ts';
import { firstOf, type Item } from './item.ts';
import { Rebuild } from './rebuild.ts';
import { RowList, type RowListOptions } from './row-list.ts';
import type { RowContext } from './row-node.ts';
import { RowPool } from './row-pool.ts';
import { LINE, Scroll } from './scroll.ts';
import { formatTime, type TimeMode } from './time.ts';

const MAX_NODES = 150;
/** What taking over new rows may take of one frame. */
const CATCH_UP_MS = 30;
/** What marking hits may take of one frame. */
const MARK_MS = 50;

/** The part of the page's state that the log shows. The viewport reads it at each paint and never changes it. */
export interface Display {
  readonly cursor: Row | undefined;
  readonly hits: readonly Pattern[];
  readonly timeMode: TimeMode;
  /** The run whose rows are marked. */
  readonly linkedRun: string | undefined;
}

export interface ViewportListener {
  /** Called once per frame in which something was shown, so it must be cheap. */
  onPainted(): void;
  onItemClicked(item: Item): void;
  onLoadClicked(gap: GapRow): void;
}

export class Viewport {
  readonly scroller: HTMLElement;
  readonly follow: Follow;
  rows: RowList;

  readonly #session: Session;
  readonly #display: Display;
  readonly #listener: ViewportListener;
  readonly #layer = document.createElement('div');
  readonly #pool = new RowPool();
  readonly #scroll: Scroll;
  readonly #rebuild = new Rebuild();
  #isFrozen = false;
  #frame = 0;
  #width = 0;
  #paintVersion = 0;
  #tick = 0;
  #evictedSeen = 0;
  /** What stays where it is on screen through new views, until the reader scrolls: they may be too short to hold it. */
  #held: { row: Row | undefined; above: number; top: number } | undefined;
  #wrap = false;
  #columns = 80;

  constructor(
    scroller: HTMLElement,
    session: Session,
    options: RowListOptions,
    display: Display,
    listener: ViewportListener,
  ) {
    this.scroller = scroller;
    // What scrolls must be reachable by keyboard.
    scroller.tabIndex = 0;
    this.#session = session;
    this.#display = display;
    this.#listener = listener;
    this.rows = new RowList(session.buffer, options);
    this.#layer.className = 'layer';
    this.#layer.append(this.#pool.element);
    scroller.append(this.#layer);
    this.#scroll = new Scroll(scroller, (top) => this.follow.placed(top));
    this.follow = new Follow(
      scroller,
      () => this.#here(),
      () => this.invalidate(),
    );
    new ResizeObserver(() => this.#measure()).observe(scroller);
    scroller.addEventListener('scroll', () => this.invalidate(), { passive: true });
    this.#layer.addEventListener('click', (event) => this.#click(event));
    this.#layer.addEventListener('focusin', (event) => {
      if (this.#pool.itemOf(event.target)) this.follow.hold();
    });
    this.#measure();
  }

  /** Draws in the next frame. A hidden page gets no frames: entries go into the buffer and wait there. */
  invalidate(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  /** Fills all rows on screen anew, because the time mode or the highlights changed. */
  restyle(): void {
    this.#paintVersion++;
    this.invalidate();
  }

  /** Called every second: relative times grow. */
  tick(): void {
    if (this.#display.timeMode !== 'rel') return;
    this.#tick++;
    this.invalidate();
  }

  /** Other rows pass, or fold, or break differently: a new view is built in slices and swapped in when it is whole. */
  rebuild(options: Partial<RowListOptions> = {}, wrap = this.#wrap): void {
    this.#wrap = wrap;
    const columns = wrap ? this.#columns : 0;
    const base = this.#rebuild.options ?? this.rows.options;
    this.#rebuild.begin(new RowList(this.#session.buffer, { ...base, ...options, columns }));
    this.invalidate();
  }

  /** Rows of the buffer were put in or removed: the view keeps still until the new one, with the new places, is whole. */
  rearrange(): void {
    this.#isFrozen = true;
    this.rebuild();
  }

  /** The buffer was emptied. */
  clear(): void {
    this.rows = new RowList(this.#session.buffer, this.#rebuild.options ?? this.rows.options);
    this.#rebuild.cancel();
    this.#isFrozen = false;
    this.#scroll.restart();
    this.#held = undefined;
    this.#evictedSeen = 0;
    this.follow.latest();
    this.invalidate();
  }

  /** Entries and errors that came since the reader stopped following. */
  unseen(): { entries: number; errors: number } {
    const stopped = this.follow.stopped;
    if (!stopped) return { entries: 0, errors: 0 };
    return { entries: this.rows.appended - stopped.appended, errors: this.rows.errors - stopped.errors };
  }

  /** Shows a row, a third from the top unless it is already on screen. */
  reveal(row: Row, focus = false): void {
    this.follow.hold();
    const place = this.rows.placeOfRow(row);
    const line = this.rows.linesBefore(place);
    const top = this.#topLine();
    const visible =
      line >= top + 1 && line + this.rows.linesAt(place) <= top + this.#scroll.linesOnScreen - 1;
    if (!visible) this.#scrollToLine(line - Math.floor(this.#scroll.linesOnScreen / 3));
    this.#held = { row, above: this.#topLine() - line, top: this.#scroll.top };
    this.#paint();
    if (focus) this.#pool.focus(this.rows.get(place));
  }

  hold(): void {
    this.follow.hold();
  }

  pause(): void {
    this.follow.pause();
  }

  latest(): void {
    this.follow.latest();
    this.invalidate();
  }

  top(): void {
    this.follow.hold();
    this.#scrollToLine(0);
    // Not to what is first now: a view that is being built may begin earlier.
    this.#held = { row: undefined, above: 0, top: this.#scroll.top };
    this.invalidate();
  }

  /** Back to the first entry not seen yet; to the latest when there is none. */
  whereIWas(): void {
    const row = this.follow.stopped?.row;
    const place = row ? this.rows.placeOf(row.at + 1) : this.rows.first;
    if (place >= this.rows.end || this.unseen().entries === 0) {
      this.latest();
      return;
    }
    this.#scrollToLine(this.rows.linesBefore(place) - Math.floor(this.#scroll.linesOnScreen / 2));
    this.follow.release();
    this.invalidate();
  }

  scrollPages(pages: number): void {
    this.follow.hold();
    this.#scrollToLine(this.#topLine() + pages * (this.#scroll.linesOnScreen - 2));
    this.invalidate();
  }

  /** The place of the cursor, or of the last item on screen. */
  current(): number {
    const { cursor } = this.#display;
    return cursor ? this.rows.placeOfRow(cursor) : this.edge(-1);
  }

  /** Where a search over what is on screen begins: its first item going down, its last going up. */
  edge(direction: 1 | -1): number {
    return this.rows.placeOfLine(this.#topLine() + (direction > 0 ? 0 : this.#scroll.linesOnScreen - 1));
  }

  /** The items that a text selection touches, top to bottom. */
  selectedItems(): Item[] {
    return this.#pool.selected();
  }

  /** Calls back when every rebuild asked for so far is on screen. */
  whenBuilt(then: () => void): void {
    this.#rebuild.whenDone(then);
    this.invalidate();
  }

  #measure(): void {
    const { clientHeight: height, clientWidth: width } = this.scroller;
    const isLower = height < this.#scroll.height;
    this.#scroll.height = height;
    this.#layer.style.height = `${height}px`;
    this.#layer.style.marginBottom = `${-height}px`;
    const columns = columnsOf(this.scroller);
    if (width !== this.#width || columns !== this.#columns) {
      this.#width = width;
      this.#paintVersion++;
      this.#columns = columns;
      if (this.#wrap) this.rebuild();
    }
    // The detail opened below the log: the row that it shows must not be under it.
    const { cursor } = this.#display;
    if (isLower && cursor) this.reveal(cursor);
    this.invalidate();
  }

  /** The first line on screen, counted from the first item of the view. */
  #topLine(): number {
    if (this.follow.mode === 'follow') return Math.max(0, this.rows.lines - this.#scroll.linesOnScreen);
    return this.#scroll.topLine;
  }

  #here(): Here {
    const { buffer } = this.#session;
    // Also where the filter hides it: what came before it is not new when another filter shows it.
    return { row: buffer.get(buffer.end - 1), appended: this.rows.appended, errors: this.rows.errors };
  }

  #scrollToLine(line: number): void {
    this.#held = undefined;
    this.#scroll.toLine(Math.max(0, line), this.rows.lines);
  }

  /** `held` (without a row: the view's first) stays where it is: its first line is `above` lines above the top. */
  #swap(view: RowList, held: { row: Row | undefined; above: number } | undefined): void {
    this.rows = view;
    this.#isFrozen = false;
    this.#scroll.restart();
    this.#evictedSeen = view.evictedLines;
    this.#paintVersion++;
    const { stopped } = this.follow;
    if (stopped) Object.assign(stopped, view.countUpTo(stopped.row?.at ?? -1));
    if (!held) return;
    const { above } = held;
    const place = held.row ? Math.min(view.placeOfRow(held.row), view.end - 1) : view.first;
    // A row that has become lower must not slip out above: at least its last line stays.
    const hidden = above < 1 ? above : Math.min(above, Math.max(0, view.linesAt(place) - 1));
    this.#scrollToLine(view.linesBefore(place) + hidden);
  }

  #paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const isFollowing = this.follow.mode === 'follow';
    // Where the reader is, by entry, before anything above it changes.
    if (!isFollowing) this.#scroll.read();
    const top = this.#topLine();
    const anchorPlace = this.rows.placeOfLine(top);
    const anchorLine = this.rows.linesBefore(anchorPlace);
    const anchor = this.rows.get(anchorPlace);

    let held = isFollowing || this.#held?.top !== this.#scroll.top ? undefined : this.#held;

    // All that has come, unless the filter takes long: the next frame goes on, and the page answers between the two.
    if (!this.#isFrozen && !this.rows.catchUp(performance.now() + CATCH_UP_MS)) this.invalidate();
    const { whole, more } = this.#rebuild.step();
    if (more) this.invalidate();
    if (whole) {
      if (anchor && !isFollowing) held ??= { row: firstOf(anchor), above: top - anchorLine, top: 0 };
      this.#swap(whole, held);
    }
    const evicted = this.rows.evictedLines - this.#evictedSeen;
    this.#evictedSeen = this.rows.evictedLines;
    if (isFollowing) {
      this.#scroll.toEnd(this.rows.lines);
    } else {
      const isThere = !whole && anchor && this.rows.get(anchorPlace) === anchor;
      const moved = isThere ? this.rows.linesBefore(anchorPlace) - anchorLine + evicted : 0;
      this.#scroll.keep(this.rows.lines, evicted, moved);
      this.follow.scrolled(this.#scroll.top, this.#scroll.isAtEnd);
    }
    this.#held = held && { ...held, top: this.#scroll.top };
    this.#render();
    this.#listener.onPainted();
    this.#rebuild.painted();
  }

  #render(): void {
    const top = this.#topLine();
    const first = this.rows.placeOfLine(top);
    const offset = (this.rows.linesBefore(first) - Math.max(0, top)) * LINE;
    let filled = offset;
    let count = 0;
    while (filled < this.#scroll.height && first + count < this.rows.end && count < MAX_NODES) {
      filled += this.rows.linesAt(first + count) * LINE;
      count++;
    }
    this.#pool.show(this.rows, first, count, this.#context());
    this.#pool.element.style.transform = `translateY(${offset}px)`;
  }

  #context(): RowContext {
    const now = Date.now();
    const { row } = this.follow.stopped ?? {};
    const lastSeen =
      row && this.unseen().entries > 0 ? this.rows.get(this.rows.placeOf(row.at + 1) - 1) : undefined;
    const { cursor, hits, linkedRun, timeMode } = this.#display;
    return {
      paintVersion: this.#paintVersion,
      columns: this.#columns,
      wrap: this.#wrap,
      hits,
      markUntil: performance.now() + MARK_MS,
      cursor: cursor && this.rows.get(this.rows.placeOfRow(cursor)),
      stoppedAt: lastSeen?.at ?? -1,
      linkedRun,
      tick: this.#tick,
      time: (item, place) => formatTime(timeMode, item.time, this.rows.get(place - 1)?.time, now),
    };
  }

  #click(event: MouseEvent): void {
    const item = this.#pool.itemOf(event.target);
    if (!item) return;
    if (item.kind === 'gap') {
      if (event.target instanceof HTMLButtonElement) this.#listener.onLoadClicked(item);
      return;
    }
    const selection = getSelection();
    if (selection && !selection.isCollapsed && this.#layer.contains(selection.anchorNode)) return;
    this.#listener.onItemClicked(item);
  }
}
