// Tells thoughts from the answer where a service leaves both in `content`, between tags like <think> and </think>
// (vLLM, Ollama, llama.cpp and LM Studio without a reasoning parser). How the text is cut into pieces makes no difference.
// A start tag counts only at the very beginning, behind blanks or an ended thought; anywhere else it is ordinary text.
// An end tag without a start means that the prompt's template had opened the thought: all text so far was reasoning. It
// counts where neither reasoning nor a start tag has come before, and not in code or behind a quotation mark.

import type { LlmEvent } from './model.ts';

/** In lower case; found in any case. */
const TAGS: readonly (readonly [start: string, end: string])[] = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<thought>', '</thought>'],
  ['<reason>', '</reason>'],
  ['<reasoning>', '</reasoning>'],
  ['<seed:think>', '</seed:think>'],
  ['[think]', '[/think]'],
  ['◁think▷', '◁/think▷'],
  ['<|begin_of_thought|>', '<|end_of_thought|>'],
  ['<|channel>thought', '<channel|>'],
  ['<|channel|>analysis<|message|>', '<|end|><|start|>assistant<|channel|>final<|message|>'],
];
const STARTS = TAGS.map(([start]) => start);
const ENDS = TAGS.map(([, end]) => end);
/** Blanks before a start tag, at most: a model may not have us hold more of its text than this. */
const MAX_BLANKS = 1_000;

const START = new RegExp(`^\\s{0,${MAX_BLANKS}}(${anyOf(STARTS)})`, 'i');
const USELESS_END = new RegExp(`^\\s{0,${MAX_BLANKS}}(?:${anyOf(ENDS)})`, 'i');
const MAYBE_TAG = new RegExp(`^\\s{0,${MAX_BLANKS}}(?:${beginningOf([...STARTS, ...ENDS])})?$`, 'i');

/** A tag, and a text's end that may become one. */
interface Mark {
  whole: RegExp;
  maybe: RegExp;
}
const END_OF = new Map(TAGS.map(([start, end]) => [start, markOf([end])]));
const ANY_TAG = markOf([...STARTS, ...ENDS]);

type Said = Extract<LlmEvent, { text: string }>;
type Piece = Said | { type: 'retract' };

export class ThoughtTags {
  #state: 'beginning' | 'thought' | 'answer' = 'beginning';
  /** Of the thought that goes on. */
  #end: Mark = ANY_TAG;
  /** What cannot be told yet: blanks, or what may become a tag. */
  #held = '';
  /** An end tag without a start can come no more. */
  #isSettled = false;
  /** Blanks beside a tag belong to neither side. */
  #isBesideTag = false;
  readonly #code = new CodeWatch();

  /** Says that reasoning has come by itself, outside of the text. */
  reasoned(): void {
    this.#isSettled = true;
  }

  /** What can be told once `text` has come. */
  push(text: string): Piece[] {
    this.#held += text;
    const pieces: Piece[] = [];
    let goesOn = true;
    while (goesOn && this.#held !== '') goesOn = this.#step(pieces);
    return joined(pieces);
  }

  /** The rest, when no more text comes. */
  end(): Said | undefined {
    const text = this.#held;
    this.#held = '';
    return text === '' ? undefined : { type: this.#state === 'thought' ? 'reasoning' : 'text', text };
  }

  /** Takes what it can from the held text; false where more has to come first. */
  #step(pieces: Piece[]): boolean {
    if (this.#isBesideTag) {
      this.#held = this.#held.trimStart();
      if (this.#held === '') return false;
    }
    if (this.#state === 'beginning') return this.#begin();
    this.#isBesideTag = false;
    return this.#state === 'thought' ? this.#think(pieces) : this.#answer(pieces);
  }

  #begin(): boolean {
    const start = START.exec(this.#held);
    const tag = start ?? USELESS_END.exec(this.#held); // a model that was told not to think may still end a thought
    if (tag) {
      if (start) {
        this.#state = 'thought';
        this.#end = END_OF.get(start[1]?.toLowerCase() ?? '') ?? ANY_TAG;
      }
      this.#passTag(tag);
    } else {
      if (MAYBE_TAG.test(this.#held)) return false;
      this.#state = 'answer';
    }
    return true;
  }

  #think(pieces: Piece[]): boolean {
    const tag = this.#end.whole.exec(this.#held);
    if (!tag) return this.#release(pieces, 'reasoning', this.#end);
    pieces.push({ type: 'reasoning', text: this.#held.slice(0, tag.index) });
    this.#state = 'beginning';
    this.#passTag(tag);
    return true;
  }

  #answer(pieces: Piece[]): boolean {
    if (this.#isSettled) return this.#release(pieces, 'text');
    const tag = ANY_TAG.whole.exec(this.#held);
    if (!tag) return this.#release(pieces, 'text', ANY_TAG);
    const before = this.#held.slice(0, tag.index);
    this.#code.pass(before);
    if (this.#code.isTalkedAbout) {
      this.#code.pass(tag[0]);
      pieces.push({ type: 'text', text: before + tag[0] });
      this.#held = this.#held.slice(before.length + tag[0].length);
    } else if (STARTS.includes(tag[0].toLowerCase())) {
      this.#isSettled = true; // the end tag that follows has a start
    } else {
      pieces.push({ type: 'retract' }, { type: 'reasoning', text: before });
      this.#state = 'beginning';
      this.#passTag(tag);
    }
    return true;
  }

  #passTag(tag: RegExpExecArray): void {
    this.#held = this.#held.slice(tag.index + tag[0].length);
    this.#isSettled = true;
    this.#isBesideTag = true;
  }

  /** All that is held, except what may become `end`. */
  #release(pieces: Piece[], type: 'reasoning' | 'text', end?: Mark): false {
    const until = end?.maybe.exec(this.#held)?.index ?? this.#held.length;
    const text = this.#held.slice(0, until);
    this.#held = this.#held.slice(until);
    if (type === 'text' && !this.#isSettled) this.#code.pass(text);
    pieces.push({ type, text });
    return false;
  }
}

/** Fewer pieces that say the same. */
function joined(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = [];
  for (const piece of pieces) {
    const last = all.at(-1);
    if (piece.type === 'retract') all.push(piece);
    else if (last?.type === piece.type) last.text += piece.text;
    else if (piece.text !== '') all.push(piece);
  }
  return all;
}

/** Whether a text ends in code (between backticks) or with a quotation mark: a tag that follows is only talked about. */
class CodeWatch {
  /** Backticks in a row, at the end. */
  #ticks = 0;
  #isFenced = false;
  #isInline = false;
  #last = '';

  get isTalkedAbout(): boolean {
    const isFenced = this.#isFenced !== this.#ticks >= 3;
    const isInline = this.#isInline !== (this.#ticks === 1 || this.#ticks === 2);
    return isFenced || isInline || /["'“‘«]/.test(this.#last);
  }

  pass(text: string): void {
    for (const part of text.match(/`+|\n|[^`\n]+/g) ?? []) {
      if (part.startsWith('`')) {
        this.#ticks += part.length;
        continue;
      }
      if (this.#ticks >= 3) this.#isFenced = !this.#isFenced;
      else if (this.#ticks > 0) this.#isInline = !this.#isInline;
      if (part === '\n') this.#isInline = false;
      this.#ticks = 0;
    }
    this.#last = text.at(-1) ?? this.#last;
  }
}

function markOf(ends: readonly string[]): Mark {
  return { whole: new RegExp(anyOf(ends), 'i'), maybe: new RegExp(`(?:${beginningOf(ends)})$`, 'i') };
}

function anyOf(tags: readonly string[]): string {
  return tags.map(escaped).join('|');
}

/** Of any of `tags`: its first characters, never all of them. */
function beginningOf(tags: readonly string[]): string {
  return tags
    .map((tag) => [...tag.slice(0, -1)].reduceRight((rest, char) => `${escaped(char)}(?:${rest})?`, ''))
    .join('|');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
