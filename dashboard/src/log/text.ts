// Makes hostile text safe to show: control characters become pictures, bidi overrides become ⍰, ANSI colours become
// class names. It also computes how many lines a text takes, without the DOM.
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: these expressions search for controls

import { type EntryRow, isPlain } from '../stream/row.ts';
import { describeGap } from './gaps.ts';
import type { Item } from './item.ts';

/** The most lines that a wrapped row shows; the detail shows all. */
export const MAX_LINES = 20;

/** Characters read at most for each character shown. Only hostile text has more escape characters than this. */
const MAX_ESCAPED = 20;

export interface Span {
  text: string;
  /** ANSI attributes as class names; empty for plain text. */
  style: string;
}

const UNSAFE =
  /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]/;
// A title or link sequence without its end is not a sequence: only its first characters are removed, the rest is text.
const ESCAPE =
  /\x1b(?:\[([0-9;:]*)([@-~])|\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])/g;
const PICTURED =
  /[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\t|\r\n/g;

/**
 * At most `limit` characters of a message as spans, and `…` where there are more. Escape sequences do not count. With
 * `lines`, line ends stay; without, each becomes ⏎. Example: `\x1b[31mfailed\x1b[0m` is one span `failed` of style
 * `fg1`.
 */
export function spansOf(text: string, limit: number, lines: boolean): Span[] {
  const head = text.length > limit ? text.slice(0, limit) : text;
  if (!UNSAFE.test(head)) return [{ text: head.length < text.length ? `${head}…` : head, style: '' }];
  // Without this bound, a megabyte of escapes would be read for one line.
  const read = text.slice(0, limit * MAX_ESCAPED);
  const spans: Span[] = [];
  let style = new AnsiStyle();
  let from = 0;
  let room = limit;
  const push = (end: number) => {
    const shown = read.slice(from, Math.min(end, from + room));
    room -= shown.length;
    const isCut = from + shown.length < end || (end === read.length && read.length < text.length);
    if (shown !== '' || isCut)
      spans.push({ text: `${safe(shown, lines)}${isCut ? '…' : ''}`, style: style.classes });
    return !isCut;
  };
  for (const match of read.matchAll(ESCAPE)) {
    if (!push(match.index)) return spans;
    from = match.index + match[0].length;
    if (match[2] === 'm') style = style.with(match[1] ?? '');
  }
  push(read.length);
  return spans;
}

function safe(text: string, lines: boolean): string {
  return text.toWellFormed().replace(PICTURED, (found) => {
    if (found === '\t') return '    ';
    if (found === '\n' || found === '\r\n') return lines ? '\n' : '⏎';
    const code = found.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '␡';
    // Zero-width joiners build emoji and scripts and cannot reorder text, so they stay.
    if (code === 0x200c || code === 0x200d) return found;
    return '⍰';
  });
}

/**
 * The state of ANSI attributes: 16 colours, bold, dim, italic, underline. Other colours become the nearest of the 16.
 */
class AnsiStyle {
  readonly #codes: readonly string[];

  constructor(codes: readonly string[] = []) {
    this.#codes = codes;
  }

  get classes(): string {
    return this.#codes.join(' ');
  }

  with(parameters: string): AnsiStyle {
    let codes = [...this.#codes];
    const numbers = parameters.split(/[;:]/).map(Number);
    const drop = (pattern: RegExp) => {
      codes = codes.filter((code) => !pattern.test(code));
    };
    for (let i = 0; i < numbers.length; i++) {
      const code = numbers[i] ?? 0;
      if (code === 0) codes = [];
      else if (code >= 1 && code <= 4) codes.push(`sgr${code}`);
      else if (code === 22) drop(/^sgr[12]$/);
      else if (code === 23 || code === 24) drop(code === 23 ? /^sgr3$/ : /^sgr4$/);
      else if (code === 39 || (code >= 30 && code <= 38) || (code >= 90 && code <= 97)) {
        drop(/^fg/);
        if (code >= 90) codes.push(`fg${code - 82}`);
        else if (code < 38) codes.push(`fg${code - 30}`);
        else if (code === 38) {
          codes.push(`fg${extended(numbers, i)}`);
          i += numbers[i + 1] === 5 ? 2 : 4;
        }
      } else if (code === 49 || (code >= 40 && code <= 48) || (code >= 100 && code <= 107)) {
        drop(/^bg/);
        if (code >= 100) codes.push(`bg${code - 92}`);
        else if (code < 48) codes.push(`bg${code - 40}`);
        else if (code === 48) {
          codes.push(`bg${extended(numbers, i)}`);
          i += numbers[i + 1] === 5 ? 2 : 4;
        }
      }
    }
    return new AnsiStyle([...new Set(codes)]);
  }
}

// Maps 256 colours and RGB to the 16 colours: one bit each for red, green and blue, and one for brightness.
function extended(numbers: readonly number[], i: number): number {
  let [r, g, b] = [numbers[i + 2] ?? 0, numbers[i + 3] ?? 0, numbers[i + 4] ?? 0];
  if (numbers[i + 1] === 5) {
    const index = numbers[i + 2] ?? 0;
    if (index < 16) return index;
    if (index >= 232) return index < 244 ? 8 : 15;
    const cube = index - 16;
    [r, g, b] = [Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51];
  }
  const bright = Math.max(r, g, b) > 190 ? 8 : 0;
  const half = Math.max(r, g, b, 1) / 2;
  return bright + (r > half ? 1 : 0) + (g > half ? 2 : 0) + (b > half ? 4 : 0);
}

/** Columns of the load button. */
const LOAD_COLUMNS = 12;

/** What the height of a row depends on, besides its item. */
export interface Layout {
  /** Columns of the message; 0: it takes one line, whatever its length. */
  columns: number;
  /** Lines above the message, for what stands beside it on a wide screen. */
  headLines: number;
  /** What stands before the message of an entry to say why the filter lets it pass. */
  why(row: EntryRow): string;
}

export function linesOf(item: Item, layout: Layout): number {
  return layout.headLines + (layout.columns === 0 ? 1 : clamp(linesNeeded(item, layout)));
}

/** Whether an item has more lines than are shown. */
export function isCutAt(item: Item, layout: Layout): boolean {
  return layout.columns > 0 && linesNeeded(item, layout) > MAX_LINES;
}

/**
 * How many characters of a wrapped message are read: one line more than is shown, to see whether the message is cut.
 */
export function wrappedLimit(columns: number): number {
  return (MAX_LINES + 1) * columns;
}

// How many lines the message of an item takes at this width. Counting stops after MAX_LINES.
function linesNeeded(item: Item, { columns, why }: Layout): number {
  if (item.kind === 'gap') return Math.ceil((describeGap(item).length + LOAD_COLUMNS) / columns);
  if (item.kind === 'mark') return Math.ceil((item.text.length + 3) / columns);
  const text = item.kind === 'fold' ? item.beginning : item.msg;
  const extra = prefixOf(item).length + width(reasonOf(item, why));
  if (item.plain) return Math.ceil((text.length + extra) / columns);
  const shown = spansOf(text, wrappedLimit(columns), true)
    .map((span) => span.text)
    .join('');
  let lines = 0;
  for (const line of shown.split('\n')) {
    lines += Math.max(1, Math.ceil((width(line) + (lines === 0 ? extra : 0)) / columns));
    if (lines > MAX_LINES) break;
  }
  return lines;
}

/** The most characters of an event's name that are shown. */
export const MAX_EVENT = 200;

/** A text on one line, with nothing in it that could hide or turn what stands behind it. */
export function oneLine(text: string, limit: number): string {
  if (isPlain(text)) return text.slice(0, limit);
  return spansOf(text.slice(0, 4 * limit), limit, false)
    .map((span) => span.text)
    .join('');
}

/** The text before an item's message: what a fold says of its entries, and an event's name. */
export function prefixOf(item: Item): string {
  if (item.kind === 'fold') return item.label + (item.isGeneration ? '' : prefixOf(item.shown));
  if (item.kind !== 'entry' || item.event === undefined || beginsWithEvent(item)) return '';
  return `${oneLine(item.event, MAX_EVENT)} `;
}

/** Why the filter lets an item pass, with what parts it from the message; empty where the message says it. */
export function reasonOf(item: Item, why: Layout['why']): string {
  if (item.kind !== 'entry' && item.kind !== 'fold') return '';
  const reason = why(item.kind === 'fold' ? item.shown : item);
  return reason === '' ? '' : `${reason} · `;
}

/** Whether the message begins with the event's name in words: "generation finished: …" of `generation.finished`. */
export function beginsWithEvent({ event, msg }: EntryRow): boolean {
  return event !== undefined && msg.slice(0, event.length).toLowerCase() === event.replace('.', ' ');
}

function clamp(lines: number): number {
  return Math.max(1, Math.min(MAX_LINES, lines));
}

// East Asian wide glyphs and emoji take two columns.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}|[\u{20000}-\u{3fffd}]/gu;

function width(text: string): number {
  return [...text].length + (text.match(WIDE)?.length ?? 0);
}
