// FOLLOW, HELD or PAUSED. The reader's intent to look back counts at once (wheel, touch, scrollbar, selection);
// following again goes by position.
import type { Row } from '../stream/row.ts';

export type FollowMode = 'follow' | 'held' | 'paused';

/** The end of the log at one moment: its last row, shown or not, and the view's counts. */
export interface Here {
  row: Row | undefined;
  appended: number;
  errors: number;
}

export class Follow {
  mode: FollowMode = 'follow';
  /** Where the reader stopped following; undefined while following. */
  stopped: Here | undefined;
  readonly #here: () => Here;
  readonly #changed: () => void;
  readonly #scroller: HTMLElement;
  #lastTop = 0;

  constructor(scroller: HTMLElement, here: () => Here, changed: () => void) {
    this.#scroller = scroller;
    this.#here = here;
    this.#changed = changed;
    const passive = { passive: true };
    scroller.addEventListener(
      'wheel',
      (event) => event.deltaY < 0 && !event.ctrlKey && this.#intent(),
      passive,
    );
    scroller.addEventListener('touchmove', () => this.#intent(), passive);
    scroller.addEventListener('pointerdown', (event) => {
      // Beside the content: the scrollbar.
      if (event.target === scroller && event.offsetX >= scroller.clientWidth) this.#intent();
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

  /** From paused to held, where the reader stands. */
  release(): void {
    if (this.mode === 'paused') this.mode = 'held';
    this.#changed();
  }

  latest(): void {
    // Its rows are filled anew, which changes what is selected: that would hold again.
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

  /** The page moved the scrollbar itself: that is no wish of the reader. */
  placed(top: number): void {
    this.#lastTop = top;
  }

  isSelecting(): boolean {
    const selection = getSelection();
    // However it was made: Ctrl+A begins outside.
    return selection !== null && !selection.isCollapsed && selection.containsNode(this.#scroller, true);
  }

  #intent(): void {
    if (this.#scroller.scrollHeight > this.#scroller.clientHeight) this.hold();
  }

  #stop(mode: FollowMode): void {
    this.mode = mode;
    this.stopped = this.#here();
    this.#lastTop = this.#scroller.scrollTop;
    this.#changed();
  }
}
