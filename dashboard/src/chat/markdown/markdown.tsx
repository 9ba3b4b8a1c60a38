// A text of the model as Markdown, which is read again as it grows, or as it is where it cannot be read.
import type { ComponentChild } from 'preact';
import { useRef } from 'preact/hooks';
import { GrowingMarkdown } from './growing.ts';

/** After a reading that took long the next one waits so many times as long, so that the page stays free for its reader. */
const REST = 8;

interface MarkdownProps {
  text: string;
  /** More of it may come. */
  isGrowing: boolean;
}

export function Markdown({ text, isGrowing }: MarkdownProps) {
  const growing = useRef<GrowingMarkdown>(undefined);
  const read = useRef<{ text: string; blocks: readonly ComponentChild[] | undefined; due: number }>(
    undefined,
  );
  growing.current ??= new GrowingMarkdown();
  const last = read.current;
  if (!last || (last.text !== text && (!isGrowing || performance.now() >= last.due))) {
    const began = performance.now();
    const blocks = growing.current.update(text);
    const now = performance.now();
    read.current = { text, blocks, due: now + (now - began) * REST };
  }
  const blocks = read.current?.blocks;
  return blocks ? <div class="markdown">{blocks}</div> : <div class="plain">{text}</div>;
}
