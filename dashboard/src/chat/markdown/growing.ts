// An answer that grows, as nodes. Only its last blocks are read again when more comes, so an answer costs what its length is, and the
// nodes of the other blocks stay the same.
import type { Token } from 'marked';
import type { ComponentChild } from 'preact';
import { isReadable, lexMarkdown } from './lexer.ts';
import { blockNode } from './nodes.tsx';

export class GrowingMarkdown {
  #text = '';
  /** How much of the text is in blocks that nothing which follows can change. */
  #closed = 0;
  #blocks: ComponentChild[] = [];

  /** Gives the blocks of the text; undefined if it must be shown as it is. */
  update(given: string): readonly ComponentChild[] | undefined {
    const text = given.replace(/\r\n?/g, '\n');
    if (!text.startsWith(this.#text.slice(0, this.#closed))) {
      this.#closed = 0;
      this.#blocks = [];
    }
    this.#text = text;
    // Of the whole text, so that what an answer looks like does not depend on how it has come.
    const tokens = isReadable(text) ? lexMarkdown(text.slice(this.#closed)) : undefined;
    if (!tokens) return undefined;
    const open = firstOpen(tokens);
    const closed = tokens.slice(0, open);
    this.#blocks = [...this.#blocks, ...closed.map(blockNode)];
    this.#closed += closed.reduce((sum, { raw }) => sum + raw.length, 0);
    return [...this.#blocks, ...tokens.slice(open).map(blockNode)];
  }
}

/** The first token that what follows may change. That is the last block; and the one before it, while the last one's first line goes on: a `4` after a list may become its item. */
function firstOpen(tokens: readonly Token[]): number {
  const isBlock = ({ type }: Token) => type !== 'space';
  const last = tokens.findLastIndex(isBlock);
  const isFirstLine = tokens.slice(Math.max(0, last)).every(({ raw }) => !raw.includes('\n'));
  return Math.max(0, isFirstLine ? tokens.slice(0, Math.max(0, last)).findLastIndex(isBlock) : last);
}
