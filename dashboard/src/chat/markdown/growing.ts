// An answer that grows, as nodes. Only its last block is read again when more comes, so an answer costs what its length is, and the
// nodes of the other blocks stay the same.
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
    const last = tokens.findLastIndex(({ type }) => type !== 'space');
    const closed = tokens.slice(0, Math.max(0, last));
    this.#blocks = [...this.#blocks, ...closed.map(blockNode)];
    this.#closed += closed.reduce((sum, { raw }) => sum + raw.length, 0);
    return [...this.#blocks, ...tokens.slice(Math.max(0, last)).map(blockNode)];
  }
}
