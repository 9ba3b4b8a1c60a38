// An answer that grows, as nodes. It is read in pieces of bounded length, each once: only the last two may change when more comes. What
// was not read yet, and what is never read because there is too much of it, is given as it was written.
import type { ComponentChildren } from 'preact';
import { blocksOf } from './blocks.tsx';
import { FENCE } from './lines.ts';
import { type Piece, pieceAt } from './pieces.ts';

/** UTF-16 units of a text that are read. */
const MAX_TEXT = 65_536;
/** So many lines are read, but for code: each may be an element of the page. */
const MAX_LINES = 3_000;

interface Read extends Piece {
  nextHead: string;
  lines: number;
  blocks: readonly ComponentChildren[];
}

export interface Shown {
  blocks: readonly ComponentChildren[];
  /** What stands behind them. */
  rest: string;
  /** Whether more of it will be read. */
  isWaiting: boolean;
}

export class GrowingMarkdown {
  #read: readonly Read[] = [];
  /** How many of the pieces nothing that follows can change: all but the last two. */
  #closed = 0;
  #closedText = '';

  /** @param mayRead whether so many characters may be read now */
  update(given: string, mayRead: (length: number) => boolean = () => true): Shown {
    const text = given.replace(/\r\n?/g, '\n');
    if (!text.startsWith(this.#closedText)) {
      this.#read = [];
      this.#closed = 0;
      this.#closedText = '';
    }
    const before = this.#read;
    const read = before.slice(0, this.#closed);
    let at = this.#closedText.length;
    let lines = read.reduce((sum, piece) => sum + piece.lines, 0);
    let isWaiting = false;
    while (at < text.length && at < MAX_TEXT && lines < MAX_LINES) {
      const piece = pieceAt(text, at, read.at(-1)?.nextHead ?? '');
      const { raw, head } = piece;
      const known = before[read.length];
      const isKnown = known?.raw === raw && known.head === head;
      isWaiting = !isKnown && !mayRead(head.length + raw.length);
      if (isWaiting) break;
      const isCode = FENCE.test(raw.slice(0, raw.search(/\n|$/)));
      const now = isKnown
        ? known
        : { lines: isCode ? 1 : raw.split('\n').length, blocks: blocksOf(head + raw) };
      read.push({ ...now, ...piece });
      at += raw.length;
      lines += now.lines;
    }
    this.#read = read;
    const closed = Math.max(this.#closed, read.length - 2);
    for (const { raw } of read.slice(this.#closed, closed)) this.#closedText += raw;
    this.#closed = closed;
    return { blocks: read.flatMap(({ blocks }) => blocks), rest: text.slice(at), isWaiting };
  }
}
