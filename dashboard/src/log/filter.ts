// Compiles a filter: a test of entries, the patterns to highlight, and the conditions that the gateway can apply.
import { globMatcher } from '@llm-streamer/shared/channels.ts';
import { LEVELS, type Level } from '@llm-streamer/shared/entry.ts';
import { type Budget, literalPattern, type Pattern, type PatternOf, rowBudget } from '../regex/pattern.ts';
import type { EntryRow } from '../stream/row.ts';
import { asText, describe, reasonOfText } from './filter-reason.ts';
import { FilterError, parseTerms, type Term } from './filter-terms.ts';

/** Of several attributes that matched, a row names these many. */
const MAX_REASONS = 2;

export interface Filter {
  test(row: EntryRow): boolean;
  /** The attributes by which an entry passes, where its row would not show why; empty for most. */
  why(row: EntryRow): string;
  /** What to highlight in messages. */
  hits: Pattern[];
  /** Conditions that `/stream` can apply, and the terms, as typed, that it cannot. */
  server: { level?: Level; source?: string; run?: string; q?: string };
  rest: string[];
}

type Test = (row: EntryRow) => boolean;
type Why = Filter['why'];

/**
 * Throws a FilterError with a sentence for the reader if an expression, level or number is wrong, and PatternsMissing
 * if a regular expression needs `patternOf`.
 */
export function compileFilter(input: string, floor: Level | '', patternOf?: PatternOf): Filter {
  const terms = parseTerms(input, patternOf);
  const tests = terms
    .map((term) => ({ test: testOf(term), cost: term.key === undefined || isField(term.key) ? 0 : 1 }))
    .sort((a, b) => a.cost - b.cost)
    .map(({ test }) => test);
  const minimum = floor === '' ? 0 : LEVELS.indexOf(floor);
  if (minimum > 0) tests.unshift((row) => row.level >= minimum);
  const hits = terms
    .filter((term) => !term.negated && (term.key === undefined || term.key === 'msg'))
    .map(textPattern);
  const reasons = terms.flatMap((term) => whyOf(term) ?? []);
  const why: Why = (row) =>
    [...new Set(reasons.map((reason) => reason(row)))]
      .filter((reason) => reason !== '')
      .slice(0, MAX_REASONS)
      .join(' · ');
  return { test: all(tests), why, hits, ...serverPart(terms, floor, input) };
}

function all(tests: readonly Test[]): Test {
  return (row) => {
    for (const test of tests) if (!test(row)) return false;
    return true;
  };
}

function isField(key: string): boolean {
  return ['level', 'source', 'channel', 'run', 'event', 'msg', 'id'].includes(key);
}

function testOf(term: Term): Test {
  const test = positive(term);
  return term.negated ? (row) => !test(row) : test;
}

function positive(term: Term): Test {
  const { key, operator } = term;
  if (key === undefined) {
    const pattern = textPattern(term);
    return (row) => {
      const budget = rowBudget();
      return (
        pattern.test(row.msg, budget) ||
        (row.event !== undefined && pattern.test(row.event, budget)) ||
        (row.attrsText !== '' && pattern.test(row.attrsText, budget))
      );
    };
  }
  if (key === 'level') return levelTest(term);
  if (operator !== ':') return compare(key, operator, term.text);
  const matches = valueTest(term);
  if (key === 'msg') return (row) => matches(row.msg);
  if (key === 'source' || key === 'channel') return (row) => matches(row[key]);
  if (key === 'run' || key === 'event' || key === 'id') return (row) => matches(row[key] ?? '');
  // A key that is not a field is an attribute, or the text has a colon: `error:404` finds both.
  const literal = term.pattern ? undefined : literalPattern(`${key}:${term.text}`);
  return (row) => {
    const budget = rowBudget();
    return (
      attributes(row, key).some(([, value]) => matches(asText(value), budget)) ||
      (literal?.test(row.msg) ?? false)
    );
  };
}

function levelTest(term: Term): Test {
  const [, name, plus] = /^([a-z]+)(\+?)$/i.exec(term.text) ?? [];
  const index = LEVELS.findIndex((level) => name !== undefined && level.startsWith(name.toLowerCase()));
  if (index < 0) throw new FilterError(`level: one of ${LEVELS.join(', ')}, with + for "and above"`);
  if (plus || term.operator === '>=') return (row) => row.level >= index;
  if (term.operator === '>') return (row) => row.level > index;
  if (term.operator === '<') return (row) => row.level < index;
  if (term.operator === '<=') return (row) => row.level <= index;
  return (row) => row.level === index;
}

function compare(key: string, operator: string, text: string): Test {
  const holds = comparison(key, operator, text);
  return (row) => attributes(row, key).some(([, value]) => holds(value));
}

function comparison(key: string, operator: string, text: string): (value: unknown) => boolean {
  const limit = Number(text);
  if (text === '' || Number.isNaN(limit)) throw new FilterError(`${key}${operator} needs a number`);
  return (value) => {
    if (typeof value !== 'number') return false;
    if (operator === '>') return value > limit;
    if (operator === '<') return value < limit;
    return operator === '>=' ? value >= limit : value <= limit;
  };
}

/** What says by which attribute an entry satisfies a term; undefined where the row shows that, or the term names attribute and value. */
function whyOf(term: Term): Why | undefined {
  const { key, operator, text } = term;
  const isExact = operator === ':' && !term.pattern && (term.quoted || !text.includes('*'));
  if (term.negated || (key !== undefined && (isExact || isField(key)))) return undefined;
  if (key === undefined) {
    const pattern = textPattern(term);
    return (row) => reasonOfText(row, pattern);
  }
  const matches = valueTest(term);
  const holds =
    operator === ':' ? (value: unknown) => matches(asText(value)) : comparison(key, operator, text);
  return (row) => {
    const found = attributes(row, key).find(([, value]) => holds(value));
    return found ? describe(...found) : '';
  };
}

const TTFT = 'gen_ai.response.time_to_first_chunk';

/**
 * The attributes whose name is `key` or ends with `.key`: `output_tokens` finds `gen_ai.usage.output_tokens`.
 * `ttft` also finds the time to the first token that GenAI conventions give in seconds, in ms.
 */
function attributes(row: EntryRow, key: string): [name: string, value: unknown][] {
  // Most entries do not contain the key as text at all, so they need no parsing.
  if (!row.raw.includes(key) && !(key === 'ttft' && row.raw.includes(TTFT))) return [];
  const found: [string, unknown][] = [];
  for (const [name, value] of Object.entries(row.attrs())) {
    if (key === 'ttft' && name === TTFT && typeof value === 'number') found.push([key, value * 1000]);
    else if (name === key || name.endsWith(`.${key}`)) found.push([name, value]);
  }
  return found;
}

function valueTest(term: Term): (value: string, budget?: Budget) => boolean {
  if (term.pattern) {
    const { pattern } = term;
    return (value, budget) => pattern.test(value, budget);
  }
  if (term.text.includes('*') && !term.quoted) return globMatcher(term.text);
  return (value) => value === term.text;
}

function textPattern(term: Term): Pattern {
  return term.pattern ?? literalPattern(term.text);
}

function serverPart(
  terms: readonly Term[],
  floor: Level | '',
  input: string,
): Pick<Filter, 'server' | 'rest'> {
  const server: Filter['server'] = {};
  const rest: string[] = [];
  if (floor !== '') server.level = floor;
  for (const term of terms) {
    const exact = !term.negated && !term.pattern && term.operator === ':';
    const glob = term.text.includes('*');
    const plus = /^([a-z]+)\+$/.exec(term.text)?.[1];
    if (exact && term.key === undefined && server.q === undefined) server.q = term.text;
    else if (exact && term.key === 'source' && server.source === undefined) server.source = term.text;
    else if (exact && term.key === 'run' && !glob && server.run === undefined) server.run = term.text;
    else if (exact && term.key === 'level' && plus && floor === '' && LEVELS.includes(plus as Level)) {
      server.level = plus as Level;
    } else rest.push(input.slice(term.start, term.end));
  }
  return { server, rest };
}
