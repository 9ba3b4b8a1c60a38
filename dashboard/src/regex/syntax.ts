// Parses a regular expression into a tree. JavaScript's own engine says first whether the expression is valid, and later which
// characters each class or escape matches, so that only the structure has to be understood here.

import { MAX_DEPTH, MAX_PROPERTIES, MAX_SOURCE } from './bounds.ts';
import { PatternError } from './pattern.ts';

export type Expression =
  /** One character: a class, an escape, a dot or itself, as JavaScript's engine understands it. */
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
/** With the flag v a class or a property may match several characters at once. */
const STRINGS = /\\q\{|\\p\{(?:Basic_Emoji|Emoji_Keycap_Sequence|RGI_)/;

/** @throws PatternError if `source` is no regular expression, or one that cannot be matched in a bounded time. */
export function parse(source: string, flags: string): Expression {
  if (source.length > MAX_SOURCE)
    throw new PatternError(`an expression longer than ${MAX_SOURCE} characters`);
  if (/[uv]/.test(flags) && (source.match(/\\p/gi)?.length ?? 0) > MAX_PROPERTIES)
    throw new PatternError(`/${source}/: more than ${MAX_PROPERTIES} Unicode properties, as \\p{L}`);
  try {
    new RegExp(source, flags);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    throw new PatternError(message.replace('Invalid regular expression: ', ''));
  }
  if (flags.includes('v') && STRINGS.test(source))
    throw new PatternError(`/${source}/: classes of several characters are not supported`);
  return new Parser(source, flags).parse();
}

class Parser {
  readonly #source: string;
  readonly #unicode: boolean;
  #flags: string;
  #at = 0;
  #depth = 0;
  /** How many groups capture. */
  #groups = 0;
  #hasNames = false;
  /** The lowest number after a backslash. It is a reference back if there are as many groups: `\2` in `(a)(b)\2`. */
  #number = Number.POSITIVE_INFINITY;
  /** Whether there was `\k`, which is a reference back if any group has a name. */
  #hasK = false;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
    this.#unicode = /[uv]/.test(flags);
  }

  parse(): Expression {
    const expression = this.#choice();
    if (this.#number <= this.#groups || (this.#hasK && (this.#hasNames || this.#unicode)))
      throw new PatternError(`/${this.#source}/: references back, as \\1, could freeze the page`);
    return expression;
  }

  #choice(): Expression {
    let options: Expression[] = [];
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
    // Of several empty options only the first one can matter, because it always matches.
    const empty = options.findIndex(isEmpty);
    options = options.filter((option, i) => i <= empty || !isEmpty(option));
    return options.length === 1 ? (options[0] as Expression) : { kind: 'choice', options };
  }

  #quantified(body: Expression): Expression {
    const found = this.#take(QUANTIFIER);
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
    const [head = '(', on = '', off = ''] = this.#take(GROUP) ?? [];
    if (/^\((?:\?<[^=!]|$)/.test(head)) this.#groups++;
    if (/^\(\?<[^=!]/.test(head)) this.#hasNames = true;
    if (++this.#depth > MAX_DEPTH)
      throw new PatternError(`groups within groups, more than ${MAX_DEPTH} deep`);
    const outer = this.#flags;
    this.#flags = [...new Set(outer + on)].filter((flag) => !off.includes(flag)).join('');
    const body = this.#choice();
    this.#flags = outer;
    this.#depth--;
    this.#at++; // the bracket that closes the group
    const [, behind, sign] = /^\(\?(<?)([=!])$/.exec(head) ?? [];
    return sign === undefined ? body : { kind: 'look', behind: behind === '<', negated: sign === '!', body };
  }

  #escape(): Expression {
    const next = this.#source[this.#at + 1] as string;
    if (next === 'b' || next === 'B') {
      this.#at += 2;
      return this.#assertion(next);
    }
    const digits = /^[1-9]\d*/.exec(this.#source.slice(this.#at + 1, this.#at + 5))?.[0];
    if (digits !== undefined) this.#number = Math.min(this.#number, Number(digits));
    if (next === 'k') this.#hasK = true;
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
    // A bracket or a brace by itself could be taken for syntax, so it is escaped.
    const single = /^[{}\]]$/.test(source) ? `\\${source}` : source;
    return { kind: 'character', source: single, flags: this.#flags };
  }

  /** The position where the class that begins here ends. Only with the flag v may a class stand in a class. */
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

  #take(form: RegExp): RegExpExecArray | null {
    form.lastIndex = this.#at;
    const found = form.exec(this.#source);
    if (found) this.#at += found[0].length;
    return found;
  }
}

function isEmpty(expression: Expression): boolean {
  return expression.kind === 'sequence' && expression.parts.length === 0;
}
