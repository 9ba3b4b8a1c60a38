// The filter language's grammar: `word "phrase" -word /re/i key:value level:warn+ attr>800 -key:value`.

import { type Pattern, PatternError, type PatternOf } from '../regex/pattern.ts';

export type Operator = ':' | '>' | '<' | '>=' | '<=';

export interface Term {
  negated: boolean;
  /** undefined: text anywhere in the message. */
  key?: string;
  operator: Operator;
  /** The value, or the text, without quotes. */
  text: string;
  /** Set for `/…/flags`. */
  pattern?: Pattern;
  quoted: boolean;
  /** The term's place in the input. */
  start: number;
  end: number;
}

export class FilterError extends Error {}

/** The input has a regular expression, and the engine for regular expressions is not loaded yet. */
export class PatternsMissing extends Error {}

/** The input is bounded because it may come from a link, and each term is tested against every entry. */
const MAX_LENGTH = 1_000;
const MAX_PATTERNS = 5;

const KEY = /^([A-Za-z_@][\w.@-]*)(>=|<=|:|>|<)/;

/** Splits the input into terms, all of which an entry must satisfy. Throws a FilterError that says what is wrong. */
export function parseTerms(input: string, patternOf?: PatternOf): Term[] {
  if (input.length > MAX_LENGTH) throw new FilterError(`longer than ${MAX_LENGTH} characters`);
  const terms: Term[] = [];
  let i = 0;
  while (i < input.length) {
    if (/\s/.test(input[i] ?? '')) {
      i++;
      continue;
    }
    const start = i;
    const negated = input[i] === '-' && i + 1 < input.length && !/\s/.test(input[i + 1] ?? '');
    if (negated) i++;
    const keyed = KEY.exec(input.slice(i));
    // `http://…` and `C:\…` are text, not a key and its value.
    const isKey =
      keyed !== null && !/^:[/\\]{1,2}\S*/.test(keyed[2] === ':' ? input.slice(i + keyed[0].length - 1) : '');
    const term: Term = { negated, operator: ':', text: '', quoted: false, start, end: start };
    if (keyed && (isKey || isRegexAt(input, i + keyed[0].length))) {
      term.key = keyed[1] as string;
      term.operator = keyed[2] as Operator;
      i += keyed[0].length;
    }
    i = readValue(input, i, term, patternOf);
    term.end = i;
    terms.push(term);
  }
  if (terms.filter(({ pattern }) => pattern).length > MAX_PATTERNS)
    throw new FilterError(`more than ${MAX_PATTERNS} regular expressions`);
  return terms;
}

function isRegexAt(input: string, at: number): boolean {
  return /^\/[^/\s][^\s]*\/[a-z]*(\s|$)/.test(input.slice(at));
}

function readValue(input: string, from: number, term: Term, patternOf: PatternOf | undefined): number {
  if (input[from] === '"') {
    const end = input.indexOf('"', from + 1);
    term.text = input.slice(from + 1, end < 0 ? input.length : end);
    term.quoted = true;
    return end < 0 ? input.length : end + 1;
  }
  if (input[from] === '/') {
    let end = from + 1;
    while (end < input.length && input[end] !== '/') end += input[end] === '\\' ? 2 : 1;
    if (end < input.length) {
      const flags = /^[a-z]*/.exec(input.slice(end + 1))?.[0] ?? '';
      term.text = input.slice(from + 1, end);
      term.pattern = regex(term.text, flags, patternOf);
      return end + 1 + flags.length;
    }
  }
  const rest = /^\S*/.exec(input.slice(from))?.[0] ?? '';
  term.text = rest;
  return from + Math.max(rest.length, 1);
}

function regex(source: string, flags: string, patternOf: PatternOf | undefined): Pattern {
  if (/[^imsuv]/.test(flags)) throw new FilterError(`/${source}/${flags}: only the flags i, m, s, u and v`);
  if (!patternOf) throw new PatternsMissing();
  try {
    return patternOf(source, flags);
  } catch (error) {
    if (error instanceof PatternError) throw new FilterError(error.message);
    // JavaScript throws a RangeError where recursion goes too deep.
    if (error instanceof RangeError) throw new FilterError(`/${source}/: too large`);
    throw error;
  }
}
