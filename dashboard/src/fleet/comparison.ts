// Two sources beside each other, over the same minutes and on one scale: a line of bars for each figure, which leads to the lines behind it.

import { sparkline } from '../charts/sparkline.ts';
import { quoted } from '../log/quoted.ts';
import { clockOf } from '../log/time.ts';
import { EntryFeed, type EntrySource, logTimeOf } from '../pictures/entry-feed.ts';
import { logView } from '../pictures/log-view.ts';
import { setText } from '../pictures/set-text.ts';
import { figure, seconds, UNKNOWN, visible } from '../pictures/words.ts';
import type { ViewState } from '../state/view-state.ts';
import type { EntryRow } from '../stream/row.ts';
import { quantile } from './ascending.ts';
import { firstTokensBehind } from './columns.ts';
import { HISTORY_BAR_SECONDS, HISTORY_SECONDS, type History, SourceHistory } from './source-history.ts';

interface Figure {
  key: keyof History;
  title: string;
  /** Terms of the filter that finds the lines behind it, besides the source. */
  behind(history: SourceHistory): string;
  text(value: number): string;
}

const percent = (share: number) => `${Math.round(share * 100)}%`;

const FIGURES: readonly Figure[] = [
  { key: 'tokens', title: 'tok/s', behind: () => '', text: figure },
  {
    key: 'firstToken',
    title: 'first token',
    behind: ({ saysFirstTokens }) => firstTokensBehind(saysFirstTokens),
    text: (value) => `${seconds(value)} s`,
  },
  { key: 'running', title: 'running', behind: () => 'event:server.metrics', text: figure },
  { key: 'queued', title: 'queue', behind: () => 'event:server.metrics', text: figure },
  { key: 'kvCache', title: 'kv cache', behind: () => 'event:server.metrics', text: percent },
  { key: 'errors', title: 'errors', behind: () => 'level:error+', text: figure },
];

interface Side {
  source: string;
  history: SourceHistory;
  name: HTMLElement;
  /** A cell for each figure. */
  cells: { bars: HTMLElement; words: HTMLElement }[];
}

export class Comparison {
  readonly element = document.createElement('section');
  readonly #goTo: (patch: Partial<ViewState>) => void;
  readonly #title = document.createElement('p');
  readonly #table = document.createElement('div');
  readonly #entries: EntrySource;
  #feed: EntryFeed | undefined;
  #sides: readonly Side[] = [];
  #now = 0;

  constructor(entries: EntrySource, goTo: (patch: Partial<ViewState>) => void, onClose: () => void) {
    this.#entries = entries;
    this.#goTo = goTo;
    this.element.ariaLabel = 'Two sources';
    this.element.className = 'pair';
    this.element.hidden = true;
    const close = document.createElement('button');
    close.type = 'button';
    close.textContent = '✕';
    close.ariaLabel = 'Close the comparison';
    close.title = 'close';
    close.addEventListener('click', onClose);
    const head = document.createElement('div');
    head.className = 'title';
    head.append(this.#title, close);
    this.#table.role = 'table';
    this.#table.ariaLabel = 'The same figures of both';
    this.element.append(head, this.#table);
  }

  /** With fewer than two sources, nothing is shown. */
  compare(sources: readonly string[]): void {
    if (sources.join('\n') === this.#sides.map(({ source }) => source).join('\n')) return;
    this.#sides = sources.length === 2 ? sources.map((source) => this.#side(source)) : [];
    this.element.hidden = this.#sides.length === 0;
    this.#table.replaceChildren(...(this.element.hidden ? [] : this.#rows()));
    if (this.element.hidden) return;
    const counter = {
      count: (row: EntryRow) => this.#count(row),
      clear: () => {
        for (const side of this.#sides) side.history = new SourceHistory();
      },
    };
    if (this.#feed) this.#feed.recount();
    else this.#feed = new EntryFeed(this.#entries, counter, () => this.show(this.#now));
  }

  /** `now` is the log's time in ms. */
  show(now: number): void {
    this.#now = now;
    if (this.element.hidden) return;
    const times = [now - HISTORY_SECONDS * 1000, now].map(clockOf).join(' – ');
    setText(this.#title, `${times}, a bar for ${HISTORY_BAR_SECONDS} s, each line on one scale for both`);
    const histories = this.#sides.map(({ history }) => history.until(now));
    for (const [i, { key, text }] of FIGURES.entries()) {
      const known = histories.map((history) => history[key].filter((value) => !Number.isNaN(value)));
      const highest = Math.max(0, ...known.flat());
      for (const [s, { cells }] of this.#sides.entries()) {
        const values = (known[s] ?? []).sort((a, b) => a - b);
        const cell = cells[i];
        setText(cell?.bars, sparkline(histories[s]?.[key] ?? [], highest));
        setText(
          cell?.words,
          values.length === 0
            ? UNKNOWN
            : key === 'errors'
              ? text(values.reduce((sum, value) => sum + value, 0))
              : `${text(quantile(values, 0.5))}, most ${text(values.at(-1) ?? 0)}`,
        );
      }
    }
  }

  #count(row: EntryRow): void {
    const at = logTimeOf(row);
    if (!(at >= 0)) return;
    for (const { source, history } of this.#sides) if (source === row.source) history.count(row, at);
  }

  #side(source: string): Side {
    const name = document.createElement('bdi');
    name.role = 'columnheader';
    name.textContent = visible(source);
    const cells = FIGURES.map(() => ({
      bars: document.createElement('span'),
      words: document.createElement('span'),
    }));
    return { source, history: new SourceHistory(), name, cells };
  }

  #rows(): HTMLElement[] {
    const head = line();
    const what = head.appendChild(document.createElement('span'));
    what.role = 'columnheader';
    what.textContent = 'median';
    head.append(...this.#sides.map(({ name }) => name));
    return [
      head,
      ...FIGURES.map(({ title, behind }, i) => {
        const row = line();
        const name = row.appendChild(document.createElement('span'));
        name.role = 'rowheader';
        name.textContent = title;
        for (const side of this.#sides) {
          const { source, cells } = side;
          const cell = row.appendChild(document.createElement('span'));
          cell.role = 'cell';
          cell.dataset.source = visible(source);
          const button = cell.appendChild(document.createElement('button'));
          button.type = 'button';
          button.title = 'the lines behind it';
          button.addEventListener('click', () => this.#open(source, behind(side.history)));
          const { bars, words } = cells[i] as Side['cells'][number];
          bars.className = 'bars';
          bars.ariaHidden = 'true';
          button.append(bars, words);
        }
        return row;
      }),
    ];
  }

  #open(source: string, behind: string): void {
    const range = { from: this.#now - HISTORY_SECONDS * 1000, to: this.#now };
    const q = `source:${quoted(source)} ${behind}`.trim();
    this.#goTo(logView(q, undefined, range));
  }
}

function line(): HTMLElement {
  const row = document.createElement('div');
  row.role = 'row';
  return row;
}
