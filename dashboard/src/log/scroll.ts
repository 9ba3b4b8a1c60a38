// The scroll position in lines. A spacer gives the scrollbar its length. Lines that were evicted above stay part of
// that length until a rebase, so that the rows under the reader do not jump: only then is the scrollbar moved.

/** Height of a line in px; the style sheet's `--line`. */
export const LINE = 20;
/** Above this the spacer is made small again: browsers clip elements at 17 to 33 million px. */
const REBASE_LINES = 400_000;

export class Scroll {
  /** Height of the scroller in px. */
  height = 0;
  readonly #scroller: HTMLElement;
  readonly #onScrolled: (top: number) => void;
  readonly #spacer = document.createElement('div');
  #spacerHeight = -1;
  #top = 0;
  /** Lines of the spacer that stand for evicted lines. */
  #base = 0;

  /** `onScrolled` is called when the page itself moves the scrollbar. */
  constructor(scroller: HTMLElement, onScrolled: (top: number) => void) {
    this.#scroller = scroller;
    this.#onScrolled = onScrolled;
    this.#spacer.className = 'spacer';
    scroller.append(this.#spacer);
  }

  /** The scrollbar's position in px. */
  get top(): number {
    return this.#top;
  }

  get linesOnScreen(): number {
    return this.height / LINE;
  }

  /** The first line on screen, counted from the first line of the list. */
  get topLine(): number {
    return this.#top / LINE - this.#base;
  }

  get isAtEnd(): boolean {
    return this.#top + this.height >= this.#spacerHeight - 2;
  }

  /** Reads where the reader moved the scrollbar. */
  read(): void {
    this.#top = this.#scroller.scrollTop;
  }

  /** Drops the evicted lines from the length. */
  restart(): void {
    this.#base = 0;
  }

  /** Puts line `line` of `lines` at the top. */
  toLine(line: number, lines: number): void {
    this.#fit(lines);
    this.#set((line + this.#base) * LINE);
  }

  toEnd(lines: number): void {
    this.#base = 0;
    this.#fit(lines);
    this.read();
    const end = Math.max(0, this.#spacerHeight - this.height);
    if (Math.abs(this.#top - end) > 1) this.#set(end);
  }

  /**
   * Keeps the reader's rows in place: `evicted` lines were removed above them, and they are `moved` lines further down.
   */
  keep(lines: number, evicted: number, moved: number): void {
    this.#base += evicted;
    this.#fit(lines);
    if (moved !== 0) this.#set(this.#top + moved * LINE);
    if (this.#base > REBASE_LINES) {
      const line = Math.max(0, this.topLine);
      this.#base = 0;
      this.toLine(line, lines);
    }
    if (this.topLine < 0) this.#set(this.#base * LINE);
  }

  #set(top: number): void {
    this.#scroller.scrollTop = top;
    this.read();
    this.#onScrolled(this.#top);
  }

  #fit(lines: number): void {
    const height = Math.max((this.#base + lines) * LINE, this.height);
    if (height === this.#spacerHeight) return;
    this.#spacerHeight = height;
    this.#spacer.style.height = `${height}px`;
  }
}
