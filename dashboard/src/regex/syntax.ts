// Parses a regular expression to a tree. JavaScript's engine first decides whether the expression is valid, and later
// which characters a class or escape matches, so that this file only needs to understand the structure.

import { PatternError } from './pattern.ts';

export type Expression =
  /** Matches one character: a class, an escape, a dot or a literal, in JavaScript's syntax. */
  | { kind: 'character'; source: string; flags: string }
  | { kind: 'assertion'; is: '^' | '$' | 'b' | 'B'; multiline: boolean; flags: string }
  | { kind: 'look'; behind: boolean; negated: boolean; body: Expression }
  | { kind: 'sequence'; parts: Expression[] }
  | { kind: 'choice'; options: Expression[] }
  | { kind: 'repeat'; body: Expression; min: number; max: number; lazy: boolean };

const QUANTIFIER = /(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})(\??)/y;
const GROUP = /\((?:\?(?:<?[=!]|<[^>]*>|([ims]*)(?:-([ims]*))?:))?/y;
const ESCAPE = /\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|c[a-zA-Z]|[0-3][0-7]{0,2}|[4-7][0-7]?|.)/sy;
const UNICODE_ESCAPE =
  /\\(?:u\{[\da-fA-F]+\}|u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[a-zA-Z]|[pP]\{[^}]*\}|.)/sy;
/** With the flag v, these match several characters at once, which our engine cannot. */
const STRINGS = /\\q\{|\\p\{(?:Basic_Emoji|Emoji_Keycap_Sequence|RGI_)/;

/** @throws PatternError for an invalid expression, and for one that cannot be matched in bounded time. */
export function parse(source: string, flags: string): Expression {
  let empty: RegExpExecArray | null;
  try {
    new RegExp(source, flags);
    // This always matches the empty text; its result shows how many groups `source` has and whether they have names.
    empty = new RegExp(`(?:${source})|`, flags).exec('');
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    throw new PatternError(message.replace('Invalid regular expression: ', ''));
  }
  if (flags.includes('v') && STRINGS.test(source))
    throw new PatternError(`/${source}/: classes of several characters are not supported`);
  return new Parser(source, flags, (empty?.length ?? 1) - 1, empty?.groups !== undefined).parse();
}

class Parser {
  readonly #source: string;
  readonly #unicode: boolean;
  readonly #groups: number;
  readonly #hasNames: boolean;
  #flags: string;
  #at = 0;

  constructor(source: string, flags: string, groups: number, hasNames: boolean) {
    this.#source = source;
    this.#flags = flags;
    this.#unicode = /[uv]/.test(flags);
    this.#groups = groups;
    this.#hasNames = hasNames;
  }

  parse(): Expression {
    return this.#choice();
  }

  #choice(): Expression {
    const options: Expression[] = [];
    let parts: Expression[] = [];
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        this.#at++;
        options.push({ kind: 'sequence', parts });
        parts = [];
      } else {
        parts.push(this.#quantified(this.#atom()));
      }
    }
    options.push({ kind: 'sequence', parts });
    return options.length === 1 ? (options[0] as Expression) : { kind: 'choice', options };
  }

  #quantified(body: Expression): Expression {
    const found = this.#match(QUANTIFIER);
    if (!found) return body;
    const [text, least, comma, most, question] = found;
    const lazy = question === '?';
    if (least !== undefined) {
      const min = Number(least);
      const max = comma === undefined ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most);
      return { kind: 'repeat', body, min, max, lazy };
    }
    const max = text.startsWith('?') ? 1 : Number.POSITIVE_INFINITY;
    return { kind: 'repeat', body, min: text.startsWith('+') ? 1 : 0, max, lazy };
  }

  #atom(): Expression {
    const char = this.#source[this.#at] as string;
    if (char === '(') return this.#group();
    if (char === '^' || char === '$') {
      this.#at++;
      return this.#assertion(char);
    }
    if (char === '[') return this.#character(this.#classEnd() - this.#at);
    if (char === '\\') return this.#escape();
    return this.#character(this.#unicode ? this.#codePointLength() : 1);
  }

  #group(): Expression {
    const [head = '(', on = '', off = ''] = this.#match(GROUP) ?? [];
    const outer = this.#flags;
    this.#flags = [...new Set(outer + on)].filter((flag) => !off.includes(flag)).join('');
    const body = this.#choice();
    this.#flags = outer;
    this.#at++; // the bracket that closes it
    const [, behind, sign] = /^\(\?(<?)([=!])$/.exec(head) ?? [];
    return sign === undefined ? body : { kind: 'look', behind: behind === '<', negated: sign === '!', body };
  }

  #escape(): Expression {
    const next = this.#source[this.#at + 1] as string;
    if (next === 'b' || next === 'B') {
      this.#at += 2;
      return this.#assertion(next);
    }
    const digits = /^[1-9]\d*/.exec(this.#source.slice(this.#at + 1))?.[0];
    const isNumbered = digits !== undefined && Number(digits) <= this.#groups;
    if (isNumbered || (next === 'k' && (this.#hasNames || this.#unicode)))
      throw new PatternError(`/${this.#source}/: references back, as \\1, could freeze the page`);
    const form = this.#unicode ? UNICODE_ESCAPE : ESCAPE;
    form.lastIndex = this.#at;
    const text = form.exec(this.#source)?.[0] ?? '\\';
    // Without a letter after it, \c is a backslash and then a c.
    if (text === '\\c') return this.#character(1, '\\\\');
    return this.#character(text.length);
  }

  #assertion(is: '^' | '$' | 'b' | 'B'): Expression {
    return { kind: 'assertion', is, multiline: this.#flags.includes('m'), flags: this.#flags };
  }

  #character(length: number, source = this.#source.slice(this.#at, this.#at + length)): Expression {
    this.#at += length;
    // A bracket or brace of its own could be read as syntax.
    const single = /^[{}\]]$/.test(source) ? `\\${source}` : source;
    return { kind: 'character', source: single, flags: this.#flags };
  }

  /** The end of the class that begins here; a class contains other classes only with the flag v. */
  #classEnd(): number {
    const nests = this.#flags.includes('v');
    let depth = 0;
    let at = this.#at;
    do {
      const char = this.#source[at];
      if (char === '\\') at++;
      else if (char === ']') depth--;
      else if (char === '[' && (nests || depth === 0)) depth++;
      at++;
    } while (depth > 0);
    return at;
  }

  #codePointLength(): number {
    return (this.#source.codePointAt(this.#at) ?? 0) > 0xffff ? 2 : 1;
  }

  #match(form: RegExp): RegExpExecArray | null {
    form.lastIndex = this.#at;
    const found = form.exec(this.#source);
    if (found) this.#at += found[0].length;
    return found;
  }
}
