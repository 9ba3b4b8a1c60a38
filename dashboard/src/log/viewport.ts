// The log on screen: at most 150 recycled row nodes show a part of up to 100,000 rows, painted at most once per
// animation frame. The rows are in a layer that does not scroll; where each stands follows from the scrollbar's
// position.

import type { Pattern } from '../regex/pattern.ts';
import type { GapRow, Row } from '../stream/row.ts';
import type { Session } from '../stream/session.ts';
import { measureOf } from './columns.ts';
import { type EndOfLog, Follow } from './follow.ts';
import { type Item, rowOf } from './item.ts';
import { Rebuild } from './rebuild.ts';
import { RowList, type RowListOptions } from './row-list.ts';
import type { RowContext } from './row-node.ts';
import { RowPool } from './row-pool.ts';
import { LINE, Scroll } from './scroll.ts';
import { formatTime, type TimeMode } from './time.ts';

const MAX_NODES = 150;
/** The time in one frame for adding new rows to the list. */
const CATCH_UP_MS = 30;
/** The time in one frame for marking hits. */
const MARK_MS = 50;

/** The part of the page's state that the log shows. The viewport reads it at each paint and never changes it. */
export interface Display {
  readonly cursor: Row | undefined;
  readonly hits: readonly Pattern[];
  readonly timeMode: TimeMode;
  /** The run whose rows are marked. */
  readonly linkedRun: string | undefined;
  /** Whether a picture is shown instead of the log: it then fills no rows. */
  readonly isCovered: boolean;
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
  /**
   * The row that keeps its place on screen while lists are swapped, until the reader scrolls. It is remembered here
   * because a list in between may be too short to show the row at that place.
   */
  #pinned: { row: Row | undefined; above: number; top: number } | undefined;
  #wrap = false;
  #columns = 80;
  #headLines = 0;

  constructor(
    scroller: HTMLElement,
    session: Session,
    options: RowListOptions,
    display: Display,
    listener: ViewportListener,
  ) {
    this.scroller = scroller;
    // An area that scrolls must be reachable by keyboard.
    scroller.tabIndex = 0;
    this.#session = session;
    this.#display = display;
    this.#listener = listener;
    this.rows = new RowList(session.buffer, options);
    this.#layer.className = 'layer';
    this.#layer.append(this.#pool.element);
    scroller.append(this.#layer);
    this.#scroll = new Scroll(scroller, (top) => this.follow.onScrolledByPage(top));
    this.follow = new Follow(
      scroller,
      () => this.#endOfLog(),
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

  /** Paints in the next frame. A hidden page gets no frames: its entries wait in the buffer. */
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

  /** Builds a new list, for another filter, folding or width, in slices, and shows it when it is complete. */
  rebuild(options: Partial<RowListOptions> = {}, wrap = this.#wrap): void {
    this.#wrap = wrap;
    const columns = wrap ? this.#columns : 0;
    const base = this.#rebuild.options ?? this.rows.options;
    const layout = { columns, headLines: this.#headLines };
    this.#rebuild.begin(new RowList(this.#session.buffer, { ...base, ...options, ...layout }));
    this.invalidate();
  }

  /**
   * To call after rows of the buffer were inserted or removed: the list does not change until a new one is complete.
   */
  rearrange(): void {
    this.#isFrozen = true;
    this.rebuild();
  }

  /** To call after the buffer was emptied. */
  clear(): void {
    this.rows = new RowList(this.#session.buffer, this.#rebuild.options ?? this.rows.options);
    this.#rebuild.cancel();
    this.#isFrozen = false;
    this.#scroll.restart();
    this.#pinned = undefined;
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
    this.#pinned = { row, above: this.#topLine() - line, top: this.#scroll.top };
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
    // No row is pinned here, because a list that is being built may begin with another row.
    this.#pinned = { row: undefined, above: 0, top: this.#scroll.top };
    this.invalidate();
  }

  /** Goes back to the first entry that the reader has not seen; to the latest when there is none. */
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

  /** The place on screen where a search begins: the first item for a search down, the last for a search up. */
  edge(direction: 1 | -1): number {
    return this.rows.placeOfLine(this.#topLine() + (direction > 0 ? 0 : this.#scroll.linesOnScreen - 1));
  }

  /** The items that a text selection touches, top to bottom. */
  selectedItems(): Item[] {
    return this.#pool.selected();
  }

  /** Calls `then` when all rebuilds started so far are on screen. */
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
    const { columns, headLines } = measureOf(this.scroller);
    const isRelaid = headLines !== this.#headLines;
    if (width !== this.#width || columns !== this.#columns || isRelaid) {
      this.#width = width;
      this.#paintVersion++;
      this.#columns = columns;
      this.#headLines = headLines;
      if (this.#wrap || isRelaid) this.rebuild();
    }
    // The detail opened below the log: the row that it shows must not be under it.
    const { cursor } = this.#display;
    if (isLower && cursor) this.reveal(cursor);
    this.invalidate();
  }

  /** The first line on screen, counted from the first line of the list. */
  #topLine(): number {
    if (this.follow.mode === 'follow') return Math.max(0, this.rows.lines - this.#scroll.linesOnScreen);
    return this.#scroll.topLine;
  }

  #endOfLog(): EndOfLog {
    const { buffer } = this.#session;
    // The last row counts even if the filter hides it: entries before it are not new when another filter shows them.
    return { row: buffer.get(buffer.end - 1), appended: this.rows.appended, errors: this.rows.errors };
  }

  #scrollToLine(line: number): void {
    this.#pinned = undefined;
    this.#scroll.toLine(Math.max(0, line), this.rows.lines);
  }

  /** Shows a new list. The pinned row (without one: the list's first) then begins `above` lines above the top. */
  #swap(list: RowList, pinned: { row: Row | undefined; above: number } | undefined): void {
    this.rows = list;
    this.#isFrozen = false;
    this.#scroll.restart();
    this.#evictedSeen = list.evictedLines;
    this.#paintVersion++;
    const { stopped } = this.follow;
    if (stopped) Object.assign(stopped, list.countUpTo(stopped.row?.at ?? -1));
    if (!pinned) return;
    const { above } = pinned;
    const place = pinned.row ? Math.min(list.placeOfRow(pinned.row), list.end - 1) : list.first;
    // A row that takes fewer lines now must not disappear above the top: at least its last line stays.
    const hidden = above < 1 ? above : Math.min(above, Math.max(0, list.linesAt(place) - 1));
    this.#scrollToLine(list.linesBefore(place) + hidden);
  }

  #paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const isFollowing = this.follow.mode === 'follow';
    // The item at the top, before anything above it changes.
    if (!isFollowing) this.#scroll.read();
    const top = this.#topLine();
    const anchorPlace = this.rows.placeOfLine(top);
    const anchorLine = this.rows.linesBefore(anchorPlace);
    const anchor = this.rows.get(anchorPlace);

    let pinned = isFollowing || this.#pinned?.top !== this.#scroll.top ? undefined : this.#pinned;

    // If the filter takes too long, the next frame continues, and the page handles input in between.
    if (!this.#isFrozen && !this.rows.catchUp(performance.now() + CATCH_UP_MS)) this.invalidate();
    const { complete, more } = this.#rebuild.step();
    if (more) this.invalidate();
    if (complete) {
      if (anchor && !isFollowing) pinned ??= { row: rowOf(anchor), above: top - anchorLine, top: 0 };
      this.#swap(complete, pinned);
    }
    const evicted = this.rows.evictedLines - this.#evictedSeen;
    this.#evictedSeen = this.rows.evictedLines;
    if (isFollowing) {
      this.#scroll.toEnd(this.rows.lines);
    } else {
      const isThere = !complete && anchor && this.rows.get(anchorPlace) === anchor;
      const moved = isThere ? this.rows.linesBefore(anchorPlace) - anchorLine + evicted : 0;
      this.#scroll.keep(this.rows.lines, evicted, moved);
      this.follow.scrolled(this.#scroll.top, this.#scroll.isAtEnd);
    }
    this.#pinned = pinned && { ...pinned, top: this.#scroll.top };
    if (!this.#display.isCovered) this.#render();
    this.#listener.onPainted();
    this.#rebuild.onPainted();
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
      layout: this.rows.options,
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
