// A regular expression of a rule, in RE2's syntax: it is matched in a time that grows with the text alone, whatever the expression,
// so that no line can make a rule slow. JavaScript's own engine gives no such promise.

import { RE2JS } from 're2js';

/** Characters of a text that are looked at. */
const REACH = 4_096;
/** The size of a compiled expression, which says how many steps a character may take at worst. */
const MAX_SIZE = 1_000;
const MAX_GROUPS = 20;
/** Characters that are kept of what a group has found. */
const MAX_FOUND = 200;

export type Groups = Readonly<Record<string, string>>;

const NO_GROUPS: Groups = Object.freeze({});

export class Expression {
  readonly #compiled: RE2JS;
  readonly #names: readonly string[];

  /** @throws Error if it is none, or one that is too large */
  constructor(source: string) {
    this.#compiled = RE2JS.compile(source);
    this.#names = Object.keys(this.#compiled.namedGroups());
  }

  /** What is wrong with an expression; undefined if nothing is. */
  static complaint(source: string): string | undefined {
    try {
      const { size, groups } = new Expression(source);
      if (size > MAX_SIZE)
        return 'the expression is too large: what it repeats counts as often as it is repeated';
      return groups > MAX_GROUPS ? `the expression has more than ${MAX_GROUPS} named groups` : undefined;
    } catch (error) {
      const [, why = 'it cannot be understood'] =
        /^error parsing regexp: (.*)$/.exec((error as Error).message) ?? [];
      return `not an expression of RE2 (which has no references back and no look-around): ${why}`;
    }
  }

  get size(): number {
    return this.#compiled.programSize();
  }

  get groups(): number {
    return this.#names.length;
  }

  /** What the named groups have found; undefined if the expression is nowhere in the text. */
  find(text: string): Groups | undefined {
    const seen = text.length > REACH ? text.slice(0, REACH) : text;
    if (!this.#compiled.test(seen)) return undefined;
    if (this.#names.length === 0) return NO_GROUPS;
    const matcher = this.#compiled.matcher(seen);
    if (!matcher.find()) return undefined;
    const found: Record<string, string> = Object.create(null);
    for (const name of this.#names) {
      const part = matcher.group(name);
      if (part !== null && part !== undefined) found[name] = part.slice(0, MAX_FOUND).toWellFormed();
    }
    return found;
  }
}
