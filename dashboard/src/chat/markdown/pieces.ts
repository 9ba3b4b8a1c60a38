// Where a text is cut, so that each piece can be read alone as Markdown. All but code is cut into pieces of bounded length, because the
// time that reading takes may grow with the square of it. Where a piece ends depends on nothing behind the line that follows it.
import { FENCE, ITEM, isClosing, isTableRuler } from './lines.ts';

export interface Piece {
  raw: string;
  /** What is read before it: the first lines of the table that it goes on with. */
  head: string;
}

/** UTF-16 units. */
export const MAX_PIECE = 2_000;

/** The piece that begins at `from`. @param head of the piece before, where it was cut in the middle of a table */
export function pieceAt(text: string, from: number, head: string): Piece & { nextHead: string } {
  let [at, top, before] = [from, from, ''];
  let [isBlank, isList, table] = [false, false, head];
  const cut = (to: number, nextHead = '') => ({ raw: text.slice(from, to), head, nextHead });
  while (at < text.length) {
    const end = lineEnd(text, at);
    // What is longer is cut anyway.
    const line = text.slice(at, Math.min(end, at + MAX_PIECE)).trimEnd();
    const isTop = /^\S/.test(line);
    const fence = isTop || !isList ? FENCE.exec(line)?.[2] : undefined;
    const isNew = fence !== undefined || (isBlank && isTop && !(isList && ITEM.test(line)));
    if (isNew && at > from) return cut(at);
    if (fence !== undefined) return { ...cut(codeEnd(text, end, fence)), head: '' };
    if (end - from > MAX_PIECE) {
      if (at > from) return cut(top > from ? top : at, table.length < MAX_PIECE / 2 ? table : '');
      const space = text.lastIndexOf(' ', from + MAX_PIECE - 1);
      return cut(space > from ? space + 1 : from + MAX_PIECE);
    }
    if (line === '') table = '';
    else if (isTableRuler(line) && before.includes('|')) table = `${before}\n${line}\n`;
    isBlank = line === '';
    isList ||= ITEM.test(line);
    if (isTop) top = at;
    before = line;
    at = end;
  }
  return cut(at);
}

/** Behind the line that closes a block of code, or the end of the text. */
function codeEnd(text: string, from: number, fence: string): number {
  let at = from;
  while (at < text.length) {
    const end = lineEnd(text, at);
    if (isClosing(text.slice(at, end), fence)) return end;
    at = end;
  }
  return at;
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  return at < 0 ? text.length : at + 1;
}
