// Where errors and warnings stand in the whole list: marks beside the scrollbar. A click goes to the nearest. What a drawing costs depends
// on the height of the screen alone: for each three pixels, it asks whether there is one between two places.
import { LINE } from '../log/scroll.ts';
import type { Viewport } from '../log/viewport.ts';
import type { EntryRow } from '../stream/row.ts';
import type { SevereScan } from './scan.ts';

const WIDTH = 6;
/** Height of the least mark. */
const STEP = 3;

/** How the scrollbar stands for lines. */
interface Scale {
  /** Its height in px. */
  height: number;
  /** Lines that it counts. */
  all: number;
  /** Those of them above the list's first, which were evicted. */
  above: number;
}

export class Minimap {
  readonly element = document.createElement('canvas');
  readonly #scan: SevereScan;
  readonly #viewport: Pick<Viewport, 'rows' | 'scroller'>;
  #drawn = '';

  constructor(
    scan: SevereScan,
    viewport: Pick<Viewport, 'rows' | 'scroller'>,
    onChosen: (row: EntryRow) => void,
  ) {
    this.#scan = scan;
    this.#viewport = viewport;
    this.element.className = 'minimap';
    // For the keyboard there are the keys that lead from error to error.
    this.element.ariaHidden = 'true';
    this.element.title = 'errors and warnings; a click goes there (e, E)';
    this.element.addEventListener('click', ({ offsetY }) => {
      const row = this.#nearest(offsetY);
      if (row) onChosen(row);
    });
  }

  draw(): void {
    const { scroller, rows } = this.#viewport;
    const scale = this.#measure();
    const { height, all, above } = scale;
    const right = scroller.offsetWidth - scroller.clientWidth;
    const { color, outlineColor } = getComputedStyle(this.element);
    const counts = Object.values(this.#scan.countAfter(undefined));
    const drawn = [height, right, rows.first, rows.lines, above, color, ...counts].join();
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.element.style.right = `${right}px`;
    // This also empties it.
    this.element.width = WIDTH;
    this.element.height = height;
    const context = this.element.getContext('2d');
    // What fits on the screen is in sight.
    if (!context || all * LINE <= height) return;
    const { errors, warnings } = this.#scan;
    let from = this.#placeAt(0, scale);
    for (let y = 0; y < height; y += STEP) {
      const to = this.#placeAt(y + STEP, scale);
      // The step may be less than a row.
      const end = Math.max(to, from + 1);
      const isIn = (row: EntryRow | undefined) => row !== undefined && row.at < end;
      const style = isIn(errors.next(from)) ? color : isIn(warnings.next(from)) ? outlineColor : '';
      if (style !== '') {
        context.fillStyle = style;
        context.fillRect(0, y, WIDTH, STEP);
      }
      from = to;
    }
  }

  #measure(): Scale {
    const { scroller, rows } = this.#viewport;
    const height = scroller.clientHeight;
    const all = scroller.scrollHeight / LINE;
    return { height, all, above: Math.max(0, all - Math.max(rows.lines, height / LINE)) };
  }

  /** The place in the buffer of the row at a height of the scrollbar. */
  #placeAt(y: number, { height, all, above }: Scale): number {
    const { rows } = this.#viewport;
    const line = (y / height) * all - above;
    if (line >= rows.lines) return Number.POSITIVE_INFINITY;
    return line < 0 ? Number.NEGATIVE_INFINITY : (rows.get(rows.placeOfLine(line))?.at ?? 0);
  }

  #nearest(y: number): EntryRow | undefined {
    const { rows } = this.#viewport;
    const scale = this.#measure();
    const at = this.#placeAt(y, scale);
    const line = (y / scale.height) * scale.all - scale.above;
    const away = (row: EntryRow) => Math.abs(rows.linesBefore(rows.placeOfRow(row)) - line);
    return [this.#scan.errors, this.#scan.warnings]
      .flatMap((severe) => [severe.previous(at), severe.next(at)])
      .filter((row) => row !== undefined)
      .sort((a, b) => away(a) - away(b))[0];
  }
}
