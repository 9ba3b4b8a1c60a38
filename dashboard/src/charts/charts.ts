// Four charts of the last 15 minutes, drawn by uPlot once a second. Dragging selects a time range; a click goes to the
// first entry at that time; the values under the pointer are in a table beside it.
import { effect } from '@preact/signals';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import '../../styles/charts.css';
import type { Cursor } from '../cursor.ts';
import type { HistoryNavigator } from '../history/history-navigator.ts';
import type { Viewport } from '../log/viewport.ts';
import { showNotice, viewState } from '../state/store.ts';
import { known } from './known.ts';
import { Legend } from './legend.ts';
import type { Line } from './line.ts';
import { ModelLines } from './model-lines.ts';
import { type Series, WINDOW_SECONDS } from './series.ts';

interface Chart {
  title: string;
  unit: string;
  errorsOnly?: boolean;
  lines(): Line[];
}

interface Plot {
  plot: uPlot;
  /** Names of the lines drawn. */
  lines: string;
  chart: Chart;
  legend: Legend;
}

const HEIGHT = 110;
/** The shortest time drawn, for a page that was just opened. */
const SHORTEST_SECONDS = 60;
const SYNC = 'charts';

/** What the charts draw, and what a click or a selection in them acts on. */
export interface ChartsContext {
  series: Series;
  viewport: Pick<Viewport, 'rows'>;
  cursor: Pick<Cursor, 'select'>;
  history: Pick<HistoryNavigator, 'showRange'>;
}

export class Charts {
  readonly #context: ChartsContext;
  readonly #host: HTMLElement;
  readonly #charts: Chart[];
  readonly #resize: ResizeObserver;
  #plots: Plot[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #theme = '';
  #isFiltered = false;

  constructor(context: ChartsContext, host: HTMLElement) {
    this.#context = context;
    this.#host = host;
    host.role = 'group';
    host.ariaLabel = 'Charts';
    const { series } = context;
    const [low, info, warn, error] = series.levels;
    const level = (label: string, color: string, values: ArrayLike<number> = []) => ({
      label,
      color,
      values,
    });
    const models = new ModelLines(series.models);
    this.#charts = [
      {
        title: 'entries/s',
        unit: '',
        lines: () => [
          level('debug', 'dim', low),
          level('info', 'plain', info),
          level('warn', 'warn', warn),
          level('error', 'bad', error),
        ],
      },
      { title: 'errors/s', unit: '', errorsOnly: true, lines: () => [level('error', 'bad', error)] },
      { title: 'tokens/s', unit: '', lines: () => models.lines('tokens') },
      { title: 'first token', unit: 'ms', lines: () => models.lines('ttft') },
    ];
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(host);
    effect(() => {
      const { theme, q, level } = viewState.value;
      this.#theme = theme;
      this.#isFiltered = q !== '' || level !== '';
      if (this.#timer !== undefined) this.#rebuild();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#rebuild());
  }

  show(isOpen: boolean): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!isOpen) return;
    this.#rebuild();
    this.#timer = setInterval(() => document.visibilityState === 'visible' && this.#update(), 1_000);
  }

  #rebuild(): void {
    for (const { plot } of this.#plots) plot.destroy();
    this.#host.replaceChildren();
    // The charts have an attribute of their own, because that of the page may be set after this effect, and the colours are read now.
    this.#host.dataset.theme = this.#theme;
    this.#plots = this.#charts.map((chart) => this.#build(chart));
    this.#fit();
  }

  #build(chart: Chart): Plot {
    const frame = this.#host.appendChild(document.createElement('figure'));
    const lines = chart.lines();
    const legend = new Legend(
      this.#isFiltered ? `${chart.title} without the filter` : chart.title,
      chart.unit,
      frame,
    );
    const axis = {
      stroke: colorOf('dim'),
      grid: { stroke: colorOf('edge'), width: 1 },
      ticks: { show: false },
    };
    const plot = new uPlot(
      {
        width: 300,
        height: HEIGHT,
        // Room on the right for half of the last time label.
        padding: [6, 30, 0, 0],
        legend: { show: false },
        cursor: {
          sync: { key: SYNC },
          drag: { x: true, y: false, setScale: false },
          points: { show: false },
        },
        axes: [
          {
            ...axis,
            size: 20,
            font: '11px monospace',
            space: 70,
            values: (_plot, times) => times.map((second) => clock(second, viewState.value.time === 'utc')),
          },
          { ...axis, size: 44, font: '11px monospace', space: 30 },
        ],
        scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
        series: [
          {},
          ...lines.map((line) => ({
            label: line.label,
            stroke: colorOf(line.color),
            width: 1,
            points: { show: line.sparse === true, size: 4 },
            spanGaps: line.sparse === true,
          })),
        ],
        hooks: {
          setSelect: [(each) => this.#select(each)],
          setCursor: [(each) => legend.show(chart.lines(), each, timeOf(each))],
          ready: [(each) => each.over.addEventListener('click', () => this.#jump(each, chart))],
        },
      },
      this.#data(lines),
      frame,
    );
    legend.show(lines, plot, timeOf(plot));
    return { plot, lines: lines.map((line) => line.label).join(), chart, legend };
  }

  #data(lines: readonly Line[]): uPlot.AlignedData {
    const { series } = this.#context;
    const end = Math.floor(Date.now() / 1000) - 1;
    const length = Math.min(WINDOW_SECONDS, Math.max(SHORTEST_SECONDS, end - series.oldest + 1));
    const times = Array.from({ length }, (_, i) => end - length + 1 + i);
    const columns = lines.map(({ values, sparse }) => {
      const window = known(series, values, end, length);
      return sparse ? window.map((value) => (value === 0 ? null : value)) : window;
    });
    return [times, ...columns];
  }

  #update(): void {
    for (const { plot, lines, chart, legend } of this.#plots) {
      const now = chart.lines();
      // A model that is new adds a line.
      if (now.map((line) => line.label).join() !== lines) {
        this.#rebuild();
        return;
      }
      plot.setData(this.#data(now));
      legend.show(now, plot, timeOf(plot));
    }
  }

  #select(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) return;
    const from = Math.floor(plot.posToVal(left, 'x') * 1000);
    const to = Math.ceil(plot.posToVal(left + width, 'x') * 1000);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#context.history.showRange(from, to);
  }

  /** Goes to the first entry at or after the second that was clicked; with `errorsOnly`, to the first error. */
  #jump(plot: uPlot, chart: Chart): void {
    const second = plot.cursor.idx == null ? undefined : plot.data[0][plot.cursor.idx];
    if (second === undefined) return;
    const { rows: shown } = this.#context.viewport;
    for (let place = shown.first; place < shown.end; place++) {
      const item = shown.get(place);
      if (item?.kind !== 'entry' || item.time < second * 1000 || (chart.errorsOnly && item.level < 4))
        continue;
      this.#context.cursor.select(item);
      return;
    }
    showNotice('nothing shown at that time');
  }

  #fit(): void {
    // An area that scrolls must be reachable by keyboard.
    if (this.#host.scrollWidth > this.#host.clientWidth) this.#host.tabIndex = 0;
    else this.#host.removeAttribute('tabindex');
    for (const { plot } of this.#plots) {
      const width = plot.root.parentElement?.clientWidth ?? 0;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}

/** The time under the pointer, in words; '' where the pointer is not over the chart. */
function timeOf({ cursor, data, over }: uPlot): string {
  const second = cursor.idx == null ? undefined : data[0][cursor.idx];
  return second === undefined || !over.matches(':hover') ? '' : clock(second, viewState.value.time === 'utc');
}

function clock(second: number, utc: boolean): string {
  const date = new Date(second * 1000);
  const text = utc ? date.toISOString().slice(11, 19) : date.toTimeString().slice(0, 8);
  return text.endsWith(':00') ? text.slice(0, 5) : text;
}

/** The colour of a CSS class in the current theme, as a canvas needs it. */
function colorOf(name: string): string {
  const probe = document.body.appendChild(document.createElement('span'));
  if (name === 'edge') probe.style.color = 'var(--edge)';
  else probe.className = name;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
