// Whether the log follows its end: FOLLOW, HELD or PAUSED. A gesture of looking back (wheel, touch, scrollbar,
// selection) holds immediately; scrolling down to the end follows again, except in a pause.
import type { Row } from '../stream/row.ts';

export type FollowMode = 'follow' | 'held' | 'paused';

/** The end of the log at one moment: its last row, whether the filter shows it or not, and the list's counts. */
export interface EndOfLog {
  row: Row | undefined;
  appended: number;
  errors: number;
}

export class Follow {
  mode: FollowMode = 'follow';
  /** Where the reader stopped following; undefined while following. */
  stopped: EndOfLog | undefined;
  readonly #endOfLog: () => EndOfLog;
  readonly #changed: () => void;
  readonly #scroller: HTMLElement;
  #lastTop = 0;

  constructor(scroller: HTMLElement, endOfLog: () => EndOfLog, changed: () => void) {
    this.#scroller = scroller;
    this.#endOfLog = endOfLog;
    this.#changed = changed;
    const passive = { passive: true };
    scroller.addEventListener(
      'wheel',
      (event) => event.deltaY < 0 && !event.ctrlKey && this.#holdIfScrollable(),
      passive,
    );
    scroller.addEventListener('touchmove', () => this.#holdIfScrollable(), passive);
    scroller.addEventListener('pointerdown', (event) => {
      // A click to the right of the content is on the scrollbar.
      if (event.target === scroller && event.offsetX >= scroller.clientWidth) this.#holdIfScrollable();
    });
    document.addEventListener('selectionchange', () => this.isSelecting() && this.hold());
  }

  hold(): void {
    if (this.mode === 'follow') this.#stop('held');
  }

  pause(): void {
    if (this.mode === 'follow') this.#stop('paused');
    else this.mode = 'paused';
    this.#changed();
  }

  /** Ends a pause without moving: the log is held where the reader is. */
  release(): void {
    if (this.mode === 'paused') this.mode = 'held';
    this.#changed();
  }

  latest(): void {
    // Following fills rows anew and so changes the selection; a selection would hold the log again.
    if (this.isSelecting()) getSelection()?.removeAllRanges();
    this.mode = 'follow';
    this.stopped = undefined;
    this.#changed();
  }

  /** Once per frame: follows again when the reader scrolled down to the end. A pause stays. */
  scrolled(top: number, atBottom: boolean): void {
    const down = top > this.#lastTop;
    this.#lastTop = top;
    if (this.mode === 'held' && atBottom && down && !this.isSelecting()) this.latest();
  }

  /** Called when the page moved the scrollbar, so that this does not count as the reader's scrolling. */
  onScrolledByPage(top: number): void {
    this.#lastTop = top;
  }

  isSelecting(): boolean {
    const selection = getSelection();
    // A selection may begin outside the log, as that of Ctrl+A does.
    return selection !== null && !selection.isCollapsed && selection.containsNode(this.#scroller, true);
  }

  #holdIfScrollable(): void {
    if (this.#scroller.scrollHeight > this.#scroller.clientHeight) this.hold();
  }

  #stop(mode: FollowMode): void {
    this.mode = mode;
    this.stopped = this.#endOfLog();
    this.#lastTop = this.#scroller.scrollTop;
    this.#changed();
  }
}
