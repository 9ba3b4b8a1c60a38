// One recycled row of the log in the DOM. Text is inserted as text nodes only, never as HTML; a node that shows its
// item already is not touched.
import { LEVELS } from '@llm-streamer/shared/entry.ts';
import type { Found, Pattern } from '../regex/pattern.ts';
import { type EntryRow, type GapRow, isPlain, type MarkRow } from '../stream/row.ts';
import type { Fold } from './fold.ts';
import { describeGap } from './gaps.ts';
import { hueOf } from './hue.ts';
import { type Item, runOf } from './item.ts';
import {
  beginsWithEvent,
  isCutAt,
  type Layout,
  MAX_EVENT,
  MAX_LINES,
  oneLine,
  prefixOf,
  reasonOf,
  spansOf,
  wrappedLimit,
} from './text.ts';

export const LEVEL_TEXT = ['TRC', 'DBG', 'INF', 'WRN', 'ERR', 'FTL'] as const;

export interface RowContext {
  /** Changes with the columns, the time mode, the highlights: whatever makes rows look different. */
  paintVersion: number;
  /** By which the heights of the rows were computed. */
  layout: Layout;
  /** Columns of the message, also where it is not wrapped. */
  columns: number;
  wrap: boolean;
  hits: readonly Pattern[];
  /** By performance.now: rows that are filled after it in this frame are shown without their hits marked. */
  markUntil: number;
  time(item: Item, place: number): string;
  cursor: Item | undefined;
  /** The place in the buffer where the reader stopped following: a line is drawn after it. */
  stoppedAt: number;
  /** The run that the reader points at in the run panel. */
  linkedRun: string | undefined;
  /** Changes every second while times are relative, since they change although the row does not. */
  tick: number;
}

export class RowNode {
  readonly element = document.createElement('div');
  item: Item | undefined;
  place = 0;
  readonly #time = cell('time');
  readonly #level = cell('lvl');
  readonly #source = cell('src');
  readonly #channel = cell('chn');
  readonly #run = cell('run');
  readonly #message = document.createElement('span');
  #version = -1;
  #paintVersion = -1;
  #tick = -1;
  #lines = 0;
  #flags = '';
  #load: HTMLButtonElement | undefined;

  constructor() {
    this.element.className = 'row';
    this.element.tabIndex = -1;
    this.#message.className = 'msg';
    const cells = [this.#time, this.#level, this.#source, this.#channel, this.#run].map(
      (text) => text.parentElement,
    );
    this.element.append(...(cells as HTMLElement[]), this.#message);
  }

  show(item: Item, place: number, lines: number, context: RowContext): void {
    const version =
      item.kind === 'fold'
        ? item.version
        : item.kind === 'gap'
          ? (item.missed ?? -1) * 2 + Number(item.loading)
          : 0;
    const flags =
      (item === context.cursor ? ' cursor' : '') +
      (item.at === context.stoppedAt ? ' stopped' : '') +
      (context.linkedRun !== undefined && runOf(item) === context.linkedRun ? ' linked' : '');
    const isNew = this.item !== item || this.#paintVersion !== context.paintVersion;
    this.place = place;
    const isOther = isNew || Number(version) !== this.#version;
    if (isOther || this.#tick !== context.tick) {
      this.#tick = context.tick;
      setText(this.#time, context.time(item, place));
    }
    if (isOther || flags !== this.#flags) {
      this.item = item;
      this.#paintVersion = context.paintVersion;
      this.#version = Number(version);
      this.#flags = flags;
      this.#fill(item, context);
      // Only a row of the full height can be cut.
      if (context.wrap && lines >= MAX_LINES)
        this.element.classList.toggle('cut', isCutAt(item, context.layout));
    }
    if (lines !== this.#lines) {
      this.#lines = lines;
      this.element.style.height = lines === 1 ? '' : `calc(var(--line) * ${lines})`;
    }
  }

  #fill(item: Item, context: RowContext): void {
    if (item.kind === 'gap') this.#gap(item);
    else if (item.kind === 'mark') this.#mark(item);
    else if (item.kind === 'fold') this.#fold(item, context);
    else this.#entry(item, '', context);
    const reason = performance.now() < context.markUntil ? reasonOf(item, context.layout.why) : '';
    if (reason !== '') this.#message.prepend(marked('em', reason, context.hits));
  }

  /** `label` stands before an entry that others are folded into. */
  #entry(row: EntryRow, label: string, context: RowContext): void {
    const event = row.event === undefined ? '' : eventClass(row.event, row.level);
    this.element.className = `row l${row.level}${event}${label === '' ? '' : ' fold'}${this.#flags}`;
    this.#head(row, context);
    const eventChars = beginsWithEvent(row) ? (row.event?.length ?? 0) : 0;
    this.#text(row.msg.slice(eventChars), row.plain, this.#limit(context), context);
    if (row.event !== undefined)
      this.#prefix('b', eventChars > 0 ? row.msg.slice(0, eventChars) : prefixOf(row));
    if (label !== '') this.#prefix('i', label);
  }

  #fold(fold: Fold, context: RowContext): void {
    if (!fold.isGeneration) {
      this.#entry(fold.shown, fold.label, context);
      return;
    }
    this.element.className = `row l${fold.level} fold${this.#flags}`;
    this.#head(fold.first, context, fold.level);
    const limit = this.#limit(context);
    const { beginning } = fold;
    const room = limit - fold.label.length - 2;
    // On one line, a fold that grows shows its end, where the new text is.
    if (!context.wrap && fold.isGrowing && beginning.length > room) {
      const ending = fold.ending(room);
      this.#text(`…${ending}`, isPlain(ending), limit, context);
    } else this.#text(beginning, fold.plain, limit, context);
    this.#prefix('i', fold.label);
  }

  #prefix(tag: 'b' | 'i', text: string): void {
    const prefix = document.createElement(tag);
    prefix.textContent = oneLine(text, MAX_EVENT);
    this.#message.prepend(prefix);
  }

  #limit({ wrap, columns }: RowContext): number {
    // A little more than fits is shown, so that the style sheet's ellipsis appears where text is cut.
    return wrap ? wrappedLimit(columns) : columns + 4;
  }

  #gap(gap: GapRow): void {
    this.element.className = `row gap${this.#flags}`;
    this.#blank(gap.channel ?? '');
    this.#load ??= Object.assign(document.createElement('button'), {
      type: 'button',
      className: 'load',
      tabIndex: -1,
    });
    this.#load.textContent = gap.loading ? 'loading…' : 'load';
    this.#load.disabled = gap.loading;
    // The button stands before the text, because the text may be longer than the line.
    this.#message.replaceChildren(this.#load, ` ${describeGap(gap)}`);
  }

  #mark(mark: MarkRow): void {
    this.element.className = `row mark${this.#flags}`;
    this.#blank('');
    this.#message.textContent = mark.text;
  }

  #head(row: EntryRow, { layout }: RowContext, level = row.level): void {
    setText(this.#level, LEVEL_TEXT[level] ?? LEVELS[2]);
    setText(this.#source, spansOf(row.source, 40, false)[0]?.text ?? '');
    // A narrow screen has room for the end of a channel's name: `generation` of `logs:generation`.
    setText(this.#channel, layout.headLines > 0 ? row.channel.replace(/^[^:]*:/, '') : row.channel);
    setText(this.#run, row.run === undefined ? '' : '▎');
    const source = this.#source.parentElement;
    if (source) source.className = `src h${hueOf(row.source)}`;
    const run = this.#run.parentElement;
    if (run) run.className = row.run === undefined ? 'run' : `run h${hueOf(row.run)}`;
  }

  #blank(channel: string): void {
    for (const cellText of [this.#level, this.#source, this.#run]) setText(cellText, '');
    setText(this.#channel, channel);
  }

  #text(text: string, plain: boolean, limit: number, context: RowContext): void {
    if (plain && context.hits.length === 0) {
      const shown = text.length > limit ? text.slice(0, limit) : text;
      const only = this.#message.firstChild;
      if (only instanceof Text && only.nextSibling === null) setText(only, shown);
      else this.#message.textContent = shown;
      return;
    }
    this.#message.replaceChildren();
    for (const { text: shown, style } of spansOf(text, limit, context.wrap)) {
      const hits = performance.now() < context.markUntil ? context.hits : [];
      appendMarked(this.#message, shown, style, hits);
    }
  }
}

function marked(tag: 'em', text: string, hits: readonly Pattern[]): HTMLElement {
  const element = document.createElement(tag);
  appendMarked(element, text, '', hits);
  return element;
}

/** Appends text with its hits marked. */
function appendMarked(parent: HTMLElement, text: string, style: string, hits: readonly Pattern[]): void {
  const host = style === '' ? parent : parent.appendChild(document.createElement('span'));
  if (style !== '') host.className = style;
  let from = 0;
  for (const { start, end } of ranges(text, hits)) {
    if (start > from) host.append(text.slice(from, start));
    const mark = host.appendChild(document.createElement('mark'));
    mark.textContent = text.slice(start, end);
    from = end;
  }
  host.append(text.slice(from));
}

function ranges(text: string, hits: readonly Pattern[]): Found[] {
  const found = hits.flatMap((hit) => hit.find(text)).sort((a, b) => a.start - b.start);
  let markedUpTo = 0;
  return found.filter(({ start, end }) => {
    if (start < markedUpTo) return false;
    markedUpTo = end;
    return true;
  });
}

/** What has failed as somebody wished, such as a call that was cancelled, is told as information. */
function eventClass(event: string, level: number): string {
  if (/^(run|agent|tool)\./.test(event)) return ' ev orch';
  return level > 2 && /\.(failed|lost)$/.test(event) ? ' ev bad' : ' ev';
}

function cell(name: string): Text {
  const span = document.createElement('span');
  span.className = name;
  return span.appendChild(document.createTextNode(''));
}

function setText(node: Text, text: string): void {
  if (node.data !== text) node.data = text;
}
