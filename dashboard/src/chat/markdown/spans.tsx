// What stands in a line of Markdown as nodes of the page: words, emphasis, code and links. A text is a text of the page, never HTML, and
// nothing is loaded: of an image there is a link.
import type { ComponentChildren } from 'preact';
import { emphasized, Mark, type Part } from './emphasis.tsx';
import { decoded } from './entities.ts';
import { targetOf } from './link.ts';

/** Where something other than words may begin. */
const SPECIAL = /[\\`[!<*_\n@]|~~|https?:\/\/|www\./gi;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
/** Behind the words of a link: where it leads, and a title, which is not shown. */
const TARGET =
  /\(\s*(<[^<>\n]*>|(?:[^\s()\\]|\\.|\([^\s()]*\))*)(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)/y;
const BRACKETED = /<([a-z][a-z\d+.-]{1,31}:[^\s<>]*|[\w.+-]+@[\w.-]+)>/iy;
const BARE = /(?:https?:\/\/|www\.)[^\s<>"'`]+/iy;
const MAIL_BEFORE = /[\w.+-]+$/;
const MAIL_BEHIND = /@[\w-]+(?:\.[\w-]+)+/y;
const RUN = /([*_`~])\1*/y;

/** @param isInLink in the words of a link, where no other link may be */
export function spansOf(text: string, isInLink = false): ComponentChildren[] {
  return emphasized(new Spans(text, isInLink).parts);
}

class Spans {
  readonly parts: Part[] = [];
  readonly #text: string;
  readonly #isInLink: boolean;
  /** For each opening bracket where it is closed. */
  readonly #brackets: ReadonlyMap<number, number>;
  #at = 0;
  /** Words that are no part yet. */
  #words = '';

  constructor(text: string, isInLink: boolean) {
    this.#text = text;
    this.#isInLink = isInLink;
    this.#brackets = bracketsOf(text);
    while (this.#at < text.length) {
      SPECIAL.lastIndex = this.#at;
      const [mark = ''] = SPECIAL.exec(text) ?? [];
      const at = mark === '' ? text.length : SPECIAL.lastIndex - mark.length;
      this.#words += text.slice(this.#at, at);
      this.#at = at;
      if (mark !== '' && !this.#special(mark)) {
        this.#words += mark;
        this.#at += mark.length;
      }
    }
    this.#push('');
  }

  #push(part: Part, length = 0): true {
    if (this.#words !== '') this.parts.push(decoded(this.#words));
    this.#words = '';
    if (part !== '') this.parts.push(part);
    this.#at += length;
    return true;
  }

  #match(pattern: RegExp, at = this.#at): RegExpExecArray | null {
    pattern.lastIndex = at;
    return pattern.exec(this.#text);
  }

  /** Whether `mark` is more than words; then it was taken. */
  #special(mark: string): boolean {
    switch (mark) {
      case '\\':
        return this.#escape();
      case '\n': {
        const isBreak = this.#words.endsWith('  ');
        this.#words = this.#words.trimEnd();
        return isBreak && this.#push(<br />, 1);
      }
      case '`':
        return this.#code();
      case '*':
      case '_':
      case '~~': {
        const [run = ''] = this.#match(RUN) ?? [];
        const end = this.#at + run.length;
        if (mark === '~~' && run !== mark) return false;
        return this.#push(new Mark(run, this.#text.charAt(this.#at - 1), this.#text.charAt(end)), run.length);
      }
      case '[':
        return this.#linked(this.#at);
      case '!':
        return this.#text.charAt(this.#at + 1) === '[' && this.#linked(this.#at + 1);
      default:
        return !this.#isInLink && this.#address(mark);
    }
  }

  #escape(): boolean {
    const next = this.#text.charAt(this.#at + 1);
    if (next === '\n') return this.#push(<br />, 2);
    if (!PUNCTUATION.test(next)) return false;
    this.#push('');
    return this.#push(next, 2);
  }

  #code(): boolean {
    const [run = ''] = this.#match(RUN) ?? [];
    const from = this.#at + run.length;
    for (const { 0: other, index } of this.#text.slice(from).matchAll(/`+/g)) {
      if (other.length !== run.length) continue;
      const inside = this.#text.slice(from, from + index).replaceAll('\n', ' ');
      const bare = /^ .*[^ ].* $/.test(inside) ? inside.slice(1, -1) : inside;
      return this.#push(<code>{bare}</code>, run.length * 2 + index);
    }
    this.#words += run;
    this.#at += run.length;
    return true;
  }

  /** @param from where its bracket opens, behind the exclamation mark of an image */
  #linked(from: number): boolean {
    const to = this.#brackets.get(from);
    const [all, given = ''] = (to !== undefined && this.#match(TARGET, to + 1)) || [];
    if (to === undefined || all === undefined) return false;
    const isImage = from > this.#at;
    const words = this.#text.slice(from + 1, to);
    const bare = given.replace(/^<|>$/g, '').replace(/\\([!-/:-@[-`{-~])/g, '$1');
    const target = targetOf(decoded(bare), words);
    const length = to + 1 + all.length - this.#at;
    if (isImage) {
      const name = `image${words === '' ? '' : `: ${decoded(words)}`}`;
      if (!target || this.#isInLink) return this.#push(`[${name}]`, length);
      return this.#push(anchor(target.href, `[${name} (${target.host})]`), length);
    }
    if (this.#isInLink) return false;
    const inside = spansOf(words, true);
    if (!target) return this.#push(inside, length);
    return this.#push(
      <>
        {anchor(target.href, inside)}
        {!target.isSaid && <span class="dim"> ({target.host})</span>}
      </>,
      length,
    );
  }

  /** An address that is a link without being marked as one. */
  #address(mark: string): boolean {
    if (mark === '@') {
      const [local = ''] = MAIL_BEFORE.exec(this.#text.slice(Math.max(0, this.#at - 64), this.#at)) ?? [];
      const [behind] = this.#match(MAIL_BEHIND) ?? [];
      // A mark in the middle of it would cut it.
      if (local === '' || behind === undefined || !this.#words.endsWith(local)) return false;
      this.#words = this.#words.slice(0, -local.length);
      return this.#push(anchor(`mailto:${local}${behind}`, local + behind), behind.length);
    }
    const [all = '', bracketed] = this.#match(mark === '<' ? BRACKETED : BARE) ?? [];
    if (all === '' || (bracketed === undefined && /[\w:]$/.test(this.#words))) return false;
    const words = bracketed ?? bareEnd(all);
    const isMail = bracketed !== undefined && !bracketed.includes(':');
    const scheme = isMail ? 'mailto:' : /^www\./i.test(words) ? 'http://' : '';
    const target = targetOf(decoded(scheme + words), words);
    if (bracketed !== undefined)
      return this.#push(target ? anchor(target.href, decoded(words)) : all, all.length);
    return target !== undefined && this.#push(anchor(target.href, decoded(words)), words.length);
  }
}

function anchor(href: string, inside: ComponentChildren[] | string): ComponentChildren {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {inside}
    </a>
  );
}

/** An address without the punctuation of the sentence that it ends. */
function bareEnd(address: string): string {
  const bare = address.replace(/[?!.,:;*_~]+$/, '');
  const isOpen = bare.endsWith(')') && bare.split(')').length > bare.split('(').length;
  return isOpen ? bareEnd(bare.slice(0, -1)) : bare;
}

function bracketsOf(text: string): ReadonlyMap<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (const { 0: found, index } of text.matchAll(/\\.|[[\]]/g)) {
    if (found === '[') open.push(index);
    const from = found === ']' ? open.pop() : undefined;
    if (from !== undefined) pairs.set(from, index);
  }
  return pairs;
}
