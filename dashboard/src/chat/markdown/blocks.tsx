// The blocks of Markdown as nodes of the page: paragraphs, lists, tables, code. What is none of them is a paragraph, so that nothing of a
// text is lost; HTML is text like any other.
import type { ComponentChildren } from 'preact';
import { scrolling } from '../scrolling.ts';
import {
  FENCE,
  HEADING,
  INDENTED,
  ITEM,
  interrupts,
  isClosing,
  isTableRuler,
  QUOTE,
  RULE,
  UNDERLINE,
} from './lines.ts';
import { spansOf } from './spans.tsx';

/** What is nested deeper is shown as it was written. */
const MAX_DEPTH = 16;
/** Each row has as many cells as the first, so 2 kB of bars would be a million cells. */
const MAX_CELLS = 1_000;
const TASK = /^\[([ xX])\](?=\s)/;

export function blocksOf(text: string): readonly ComponentChildren[] {
  const spaced = (line: string) => line.replace(/^[ \t]+/, (space) => space.replaceAll('\t', '    '));
  return new Blocks(text.split('\n').map(spaced)).nodes;
}

class Blocks {
  readonly nodes: ComponentChildren[] = [];
  readonly #lines: readonly string[];
  readonly #depth: number;
  /** Its paragraphs are words only, as in a list without blank lines. */
  readonly #isTight: boolean;
  #at = 0;

  constructor(lines: readonly string[], depth = 0, isTight = false) {
    this.#lines = lines;
    this.#depth = depth;
    this.#isTight = isTight;
    while (this.#isIn)
      if (depth > MAX_DEPTH) this.nodes.push(`${this.#next()}\n`);
      else if (isBlank(this.#line)) this.#at++;
      else this.nodes.push(this.#block());
  }

  get #isIn(): boolean {
    return this.#at < this.#lines.length;
  }

  get #line(): string {
    return this.#lines[this.#at] ?? '';
  }

  #next(): string {
    return this.#lines[this.#at++] ?? '';
  }

  /** The line that is next, and those that go on with it. */
  #while(isPart: (line: string, before: string) => boolean): string[] {
    const all = [this.#next()];
    while (this.#isIn && isPart(this.#line, all.at(-1) ?? '')) all.push(this.#next());
    return all;
  }

  #inside(lines: readonly string[], isTight?: boolean): readonly ComponentChildren[] {
    return new Blocks(lines, this.#depth + 1, isTight).nodes;
  }

  #block(): ComponentChildren {
    const line = this.#line;
    if (FENCE.test(line)) return this.#fenced();
    if (INDENTED.test(line)) {
      const lines = this.#while((next) => INDENTED.test(next) || isBlank(next));
      return code(
        lines
          .map((each) => each.slice(4))
          .join('\n')
          .trimEnd(),
      );
    }
    const [marks, level] = HEADING.exec(line) ?? [];
    if (level !== undefined) {
      this.#at++;
      return heading(level.length, line.slice(marks?.length).replace(/(?:^|\s)#*\s*$/, ''));
    }
    if (RULE.test(line)) {
      this.#at++;
      return <hr />;
    }
    if (QUOTE.test(line)) {
      const goesOn = (next: string, before: string) =>
        !isBlank(next) && !ITEM.test(next) && !interrupts(next) && !isBlank(before.replace(QUOTE, ''));
      const lines = this.#while((next, before) => QUOTE.test(next) || goesOn(next, before));
      return <blockquote>{this.#inside(lines.map((each) => each.replace(QUOTE, '')))}</blockquote>;
    }
    return ITEM.test(line) ? this.#list() : (this.#table() ?? this.#paragraph());
  }

  #fenced(): ComponentChildren {
    const [, indent = '', fence = '', lang] = FENCE.exec(this.#next()) ?? [];
    const lines: string[] = [];
    while (this.#isIn && !isClosing(this.#line, fence)) {
      const line = this.#next();
      lines.push(line.slice(Math.min(indent.length, line.search(/[^ ]|$/))));
    }
    if (!this.#isIn && lines.at(-1) === '') lines.pop(); // behind the last line break of the text
    this.#at++;
    return code(lines.join('\n'), lang);
  }

  #list(): ComponentChildren {
    const [, , mark = '', number] = ITEM.exec(this.#line) ?? [];
    const items: string[][] = [];
    let isTight = true;
    for (;;) {
      const line = this.#line;
      const [opening, indent = '', its = '', , space = ''] = ITEM.exec(line) ?? [];
      if (opening === undefined || its.at(-1) !== mark.at(-1) || RULE.test(line)) break;
      if (items.at(-1)?.at(-1) === '') isTight = false;
      const width = indent.length + its.length + (space.length < 5 ? Math.max(1, space.length) : 1);
      const lines = this.#while((next, before) => {
        if (isBlank(next) || next.search(/\S/) >= width) return true;
        return !isBlank(before) && !ITEM.test(next) && !interrupts(next);
      });
      const inside = lines.map((each, i) => (i === 0 ? each.slice(width) : unindented(each, width)));
      inside[0] = (inside[0] ?? '').replace(TASK, (_, check) => (check === ' ' ? '☐' : '☑'));
      if (inside.some((each, i) => each === '' && i > 0 && i < inside.findLastIndex((other) => other !== '')))
        isTight = false;
      items.push(inside);
    }
    const all = items.map((lines, i) => (
      <li key={i} class={/^[☐☑]/.test(lines[0] ?? '') ? 'task' : undefined}>
        {this.#inside(lines, isTight)}
      </li>
    ));
    return number === undefined ? <ul>{all}</ul> : <ol start={Number(number)}>{all}</ol>;
  }

  #table(): ComponentChildren | undefined {
    const ruler = this.#lines[this.#at + 1] ?? '';
    if (!isTableRuler(ruler) || !this.#line.includes('|')) return undefined;
    const names = cellsOf(this.#line);
    const sides = cellsOf(ruler);
    if (names.length !== sides.length || !sides.every((side) => /^:?-+:?$/.test(side))) return undefined;
    let left = MAX_CELLS / names.length + 2;
    const [, , ...rows] = this.#while((next) => left-- > 0 && !isBlank(next) && !interrupts(next));
    const style = sides.map((side) => ({
      textAlign: side.endsWith(':') ? (side.startsWith(':') ? 'center' : 'end') : 'start',
    }));
    return (
      <div class="table" {...scrolling('table')}>
        <table>
          <thead>
            <tr>
              {names.map((name, column) => (
                <th key={column} style={style[column]}>
                  {spansOf(name)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, i) => {
              const cells = cellsOf(row);
              return (
                <tr key={i}>
                  {names.map((_, column) => (
                    <td key={column} style={style[column]}>
                      {spansOf(
                        column < names.length - 1 ? (cells[column] ?? '') : cells.slice(column).join(' | '),
                      )}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    );
  }

  #paragraph(): ComponentChildren {
    const isTable = () => this.#line.includes('|') && isTableRuler(this.#lines[this.#at + 1] ?? '');
    const lines = this.#while(
      (next) => !isBlank(next) && !UNDERLINE.test(next) && !interrupts(next) && !isTable(),
    );
    const text = lines
      .map((line) => line.trimStart())
      .join('\n')
      .trimEnd();
    const [, under] = UNDERLINE.exec(this.#line) ?? [];
    if (under !== undefined) {
      this.#at++;
      return heading(under.startsWith('=') ? 1 : 2, text);
    }
    return this.#isTight ? spansOf(text) : <p>{spansOf(text)}</p>;
  }
}

/** The page has headings of its own: those of an answer begin below them. */
function heading(level: number, text: string): ComponentChildren {
  const Heading = `h${Math.min(6, level + 2)}` as 'h3';
  return <Heading>{spansOf(text.trim())}</Heading>;
}

function code(text: string, lang?: string): ComponentChildren {
  return (
    <pre {...scrolling(lang ? `code, ${lang}` : 'code')}>
      <code>{text}</code>
    </pre>
  );
}

function cellsOf(row: string): string[] {
  const bare = row
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return bare.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function unindented(line: string, width: number): string {
  return line.slice(Math.min(width, Math.max(0, line.search(/\S|$/))));
}

function isBlank(line: string): boolean {
  return line.trim() === '';
}
