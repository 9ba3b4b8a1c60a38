// Markdown as tokens, in bounded time: what would take long to read, however it is made, is left as it was written.
import { Lexer, type Token, Tokenizer } from 'marked';

/** UTF-16 units of a text that is looked at. */
const MAX_TEXT = 65_536;
/** Lists and quotes of many lines are read several times over. */
const MAX_LINES = 3_000;
/** How deep quotes and lists may stand in each other. The work grows with the square of it. */
const MAX_DEPTH = 16;
/** A quote whose lines are not all marked is read anew with each of them. */
const MAX_QUOTED = 300;
const QUOTED = /^[ \t]*>/gm;
/** Emphasis is found in a time that grows with the square of a paragraph: about 30 ms for one of 7,000 characters. */
const MAX_INLINE_WORK = 50_000_000;
/** Each row gets as many cells as the first, so 20 kB of bars would be a hundred million cells. */
const MAX_CELLS = 4_000;

class BoundedTokenizer extends Tokenizer {
  #depth = 0;

  override blockquote(src: string): ReturnType<Tokenizer['blockquote']> {
    return this.#nested(() => super.blockquote(src));
  }

  override list(src: string): ReturnType<Tokenizer['list']> {
    return this.#nested(() => super.list(src));
  }

  override table(src: string): ReturnType<Tokenizer['table']> {
    const rows = src.split(/\n[ \t]*(?:\n|$)/, 1)[0]?.split('\n') ?? [];
    const columns = (rows[0] ?? '').split('|').length;
    return columns * rows.length > MAX_CELLS ? undefined : super.table(src);
  }

  /** What a link refers to may stand in another block, which may come later: such links stay text. */
  override def(): undefined {
    return undefined;
  }

  #nested<T>(read: () => T): T | undefined {
    if (this.#depth === MAX_DEPTH) return undefined;
    this.#depth++;
    const token = read();
    this.#depth--;
    return token;
  }
}

class BoundedLexer extends Lexer {
  #inlineWork = 0;

  constructor() {
    super({ gfm: true, tokenizer: new BoundedTokenizer() });
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    this.#inlineWork += src.length ** 2;
    if (this.#inlineWork <= MAX_INLINE_WORK) return super.inlineTokens(src, tokens);
    tokens.push(plain(src));
    return tokens;
  }
}

/** Whether a text, as a whole, is one that is read as Markdown. */
export function isReadable(text: string): boolean {
  if (text.length > MAX_TEXT || text.split('\n', MAX_LINES + 1).length > MAX_LINES) return false;
  return (text.match(QUOTED)?.length ?? 0) <= MAX_QUOTED;
}

/** The tokens of a readable text, or of its end; undefined if it turns out to be none. */
export function lexMarkdown(text: string): Token[] | undefined {
  try {
    return new BoundedLexer().lex(text);
  } catch {
    return undefined; // nested in a way that the bounds do not know, so that the stack has ended
  }
}

function plain(text: string): Token {
  return { type: 'text', raw: text, text, escaped: false };
}
