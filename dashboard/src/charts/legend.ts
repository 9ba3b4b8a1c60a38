// The legend of a chart: above it the name and the latest value of each line, always in sight; and under the pointer a table of the values at
// that time, the greatest first, with the names uncut.
import type uPlot from 'uplot';
import type { Line } from './line.ts';

/** The table stands this far from the pointer, in px. */
const AWAY = 12;

export class Legend {
  readonly #unit: string;
  readonly #list = document.createElement('span');
  readonly #table = document.createElement('div');

  /** It goes into `frame`, around the chart. */
  constructor(title: string, unit: string, frame: HTMLElement) {
    this.#unit = unit;
    const caption = frame.appendChild(document.createElement('figcaption'));
    const name = caption.appendChild(document.createElement('b'));
    name.textContent = title;
    this.#list.className = 'lines';
    caption.append(this.#list);
    this.#table.className = 'values';
    this.#table.hidden = true;
    frame.append(this.#table);
  }

  /** `time` is that under the pointer; '' where the pointer is not over the chart. */
  show(lines: readonly Line[], plot: uPlot, time: string): void {
    const columns = lines.map((_, i) => plot.data[i + 1] as (number | null)[] | undefined);
    this.#list.replaceChildren(
      ...lines.map((line, i) =>
        this.#item(
          line,
          columns[i]?.findLast((value) => value !== null),
        ),
      ),
    );
    const index = plot.cursor.idx;
    this.#table.hidden = time === '' || index == null;
    if (index == null || this.#table.hidden) return;
    const at = lines.map((line, i) => ({ line, value: columns[i]?.[index] ?? undefined }));
    at.sort((a, b) => (b.value ?? -1) - (a.value ?? -1));
    const head = document.createElement('span');
    head.textContent = time;
    this.#table.replaceChildren(head, ...at.map(({ line, value }) => this.#item(line, value)));
    const left = plot.over.offsetLeft + (plot.cursor.left ?? 0);
    const width = this.#table.offsetWidth;
    const isRight = left + AWAY + width <= plot.root.clientWidth;
    this.#table.style.left = `${Math.max(0, isRight ? left + AWAY : left - AWAY - width)}px`;
  }

  #item({ label, color }: Line, value: number | null | undefined): HTMLElement {
    const item = document.createElement('span');
    item.className = color;
    item.title = label;
    const name = item.appendChild(document.createElement('bdi'));
    name.textContent = label;
    item.append(` ${value == null ? '–' : `${Math.round(value).toLocaleString('en')}${this.#unit}`}`);
    return item;
  }
}
