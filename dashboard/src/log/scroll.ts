// Where the reader stands, in lines. The scrollbar is only read, and written to keep its place: a spacer gives it its
// length, and lines that have left above stay in that length until a rebase, so that nothing jumps under the reader.

/** Height of a line in px; the style sheet's `--line`. */
export const LINE = 20;
/** Beyond this the spacer is made small again: browsers clip elements at 17 to 33 million px. */
const REBASE_LINES = 400_000;

export class Scroll {
  /** Height of the scroller in px. */
  height = 0;
  readonly #scroller: HTMLElement;
  readonly #placed: (top: number) => void;
  readonly #spacer = document.createElement('div');
  #spacerHeight = -1;
  #top = 0;
  /** Lines of the spacer that stand for what has left above. */
  #base = 0;

  /** `placed` hears where the page itself puts the scrollbar. */
  constructor(scroller: HTMLElement, placed: (top: number) => void) {
    this.#scroller = scroller;
    this.#placed = placed;
    this.#spacer.className = 'spacer';
    scroller.append(this.#spacer);
  }

  /** px, as the scrollbar has it. */
  get top(): number {
    return this.#top;
  }

  get linesOnScreen(): number {
    return this.height / LINE;
  }

  /** The first line on screen, counted from the first one that is kept. */
  get topLine(): number {
    return this.#top / LINE - this.#base;
  }

  get isAtEnd(): boolean {
    return this.#top + this.height >= this.#spacerHeight - 2;
  }

  /** Takes over what the reader did to the scrollbar. */
  read(): void {
    this.#top = this.#scroller.scrollTop;
  }

  /** Forgets what has left above. */
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

  /** `evicted` lines have left above; what the reader looks at is `moved` lines further down the spacer than before. */
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
    this.#placed(this.#top);
  }

  #fit(lines: number): void {
    const height = Math.max((this.#base + lines) * LINE, this.height);
    if (height === this.#spacerHeight) return;
    this.#spacerHeight = height;
    this.#spacer.style.height = `${height}px`;
  }
}
