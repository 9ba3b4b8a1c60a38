// Separates thoughts from the answer if a service leaves both in `content`, between tags like <think> and </think>
// (vLLM, Ollama, llama.cpp and LM Studio without a reasoning parser). The result is the same however the text is cut into parts.
// A start tag counts only at the beginning of the text, or after a thought has ended; blanks may come before it. Anywhere else
// it is ordinary text. An end tag without a start means that the prompt's template has opened the thought, so that all text so far
// was reasoning: `Let me see.</think>Yes.` becomes the thought `Let me see.` and the answer `Yes.` Such an end tag counts only if
// neither reasoning nor a start tag has come before, and not in code or after a quotation mark.

import type { LlmEvent } from './model.ts';

/** Written in lower case here; upper case counts as well. */
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
/** The most blanks before a start tag. It bounds the text that is held back. */
const MAX_BLANKS = 1_000;

const START = new RegExp(`^\\s{0,${MAX_BLANKS}}(${anyOf(STARTS)})`, 'i');
const USELESS_END = new RegExp(`^\\s{0,${MAX_BLANKS}}(?:${anyOf(ENDS)})`, 'i');
const MAYBE_TAG = new RegExp(`^\\s{0,${MAX_BLANKS}}(?:${beginningOf([...STARTS, ...ENDS])})?$`, 'i');

/** Expressions that find a tag, and the end of a text that may become one. */
interface Mark {
  whole: RegExp;
  maybe: RegExp;
}
const END_OF = new Map(TAGS.map(([start, end]) => [start, markOf([end])]));
const ANY_TAG = markOf([...STARTS, ...ENDS]);

type Said = Extract<LlmEvent, { text: string }>;
type Separated = Said | { type: 'retract' };

export class ThoughtTags {
  #state: 'beginning' | 'thought' | 'answer' = 'beginning';
  /** The tag that ends the current thought. */
  #end: Mark = ANY_TAG;
  /** Text that is held back: blanks, or a part that may become a tag. */
  #held = '';
  /** From now on an end tag without a start is ordinary text. */
  #isSettled = false;
  /** The last thing was a tag. Blanks after it belong neither to the thought nor to the answer. */
  #isBesideTag = false;
  readonly #code = new CodeWatch();

  /** To be called when the service sends reasoning in a field of its own. */
  noteReasoning(): void {
    this.#isSettled = true;
  }

  /** Takes the next text, and returns what is certain by now. */
  separate(text: string): Separated[] {
    this.#held += text;
    const events: Separated[] = [];
    let goesOn = true;
    while (goesOn && this.#held !== '') goesOn = this.#step(events);
    return joined(events);
  }

  /** The held text, when no more text comes. */
  end(): Said | undefined {
    const text = this.#held;
    this.#held = '';
    return text === '' ? undefined : { type: this.#state === 'thought' ? 'reasoning' : 'text', text };
  }

  /** Processes the held text up to the next tag; false if more text has to come first. */
  #step(events: Separated[]): boolean {
    if (this.#isBesideTag) {
      this.#held = this.#held.trimStart();
      if (this.#held === '') return false;
    }
    if (this.#state === 'beginning') return this.#begin();
    this.#isBesideTag = false;
    return this.#state === 'thought' ? this.#think(events) : this.#answer(events);
  }

  #begin(): boolean {
    const start = START.exec(this.#held);
    const tag = start ?? USELESS_END.exec(this.#held); // a model that is asked not to think may still send an end tag
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

  #think(events: Separated[]): boolean {
    const tag = this.#end.whole.exec(this.#held);
    if (!tag) return this.#release(events, 'reasoning', this.#end);
    events.push({ type: 'reasoning', text: this.#held.slice(0, tag.index) });
    this.#state = 'beginning';
    this.#passTag(tag);
    return true;
  }

  #answer(events: Separated[]): boolean {
    if (this.#isSettled) return this.#release(events, 'text');
    const tag = ANY_TAG.whole.exec(this.#held);
    if (!tag) return this.#release(events, 'text', ANY_TAG);
    const before = this.#held.slice(0, tag.index);
    this.#code.pass(before);
    if (this.#code.isTalkedAbout) {
      this.#code.pass(tag[0]);
      events.push({ type: 'text', text: before + tag[0] });
      this.#held = this.#held.slice(before.length + tag[0].length);
    } else if (STARTS.includes(tag[0].toLowerCase())) {
      this.#isSettled = true; // the end tag that follows belongs to this start tag
    } else {
      events.push({ type: 'retract' }, { type: 'reasoning', text: before });
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

  /** Releases the held text, except for the part that may become `end`. */
  #release(events: Separated[], type: 'reasoning' | 'text', end?: Mark): false {
    const until = end?.maybe.exec(this.#held)?.index ?? this.#held.length;
    const text = this.#held.slice(0, until);
    this.#held = this.#held.slice(until);
    if (type === 'text' && !this.#isSettled) this.#code.pass(text);
    events.push({ type, text });
    return false;
  }
}

/** Joins neighbors of the same type. */
function joined(events: readonly Separated[]): Separated[] {
  const all: Separated[] = [];
  for (const event of events) {
    const last = all.at(-1);
    if (event.type === 'retract') all.push(event);
    else if (last?.type === event.type) last.text += event.text;
    else if (event.text !== '') all.push(event);
  }
  return all;
}

/** Whether a text ends in code (between backticks) or with a quotation mark: then the text only mentions the tag that follows. */
class CodeWatch {
  /** Backticks in a row at the end of the text. */
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

/** An expression for the first characters of any of `tags`, but not for the whole tag. */
function beginningOf(tags: readonly string[]): string {
  return tags
    .map((tag) => [...tag.slice(0, -1)].reduceRight((rest, char) => `${escaped(char)}(?:${rest})?`, ''))
    .join('|');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
