// What the simulated model says of the results of tools: a sentence and a table of each, and the name of each that failed. Marks around
// data are for models, and a person does not see them.

import { stem, stems, wordsOf } from './simulator-facts.ts';
import type { Composition } from './simulator-prose.ts';
import type { ToolResult } from './simulator-tools.ts';

const MAX_ROWS = 10;
const MAX_COLUMNS = 7;
const MAX_TABLES = 4;
const MAX_TEXT = 600;
const MAX_CELL = 60;
/** Lines of a log that are shown, the newest. */
const MAX_LINES = 5;
const MAX_FENCED = 32_768;

/** @param missing a sentence on tools that are not there, or '' */
export function composeResults(
  results: readonly ToolResult[],
  question: string,
  missing: string,
): Composition {
  const asked = stems(question.slice(0, MAX_TEXT));
  const parts = results.map(({ name, text }) => told(ownName(name), text, asked));
  return {
    reasoning: `I have ${results.length === 1 ? 'a result' : `${results.length} results`}. Say what was found, and what was not.`,
    text: [...parts, ...(missing === '' ? [] : [missing])].join('\n\n'),
  };
}

/** `listings__findListings` becomes `find listings`. */
export function ownName(tool: string): string {
  const own = tool.slice(0, 128);
  return (own.includes('__') ? own.slice(own.indexOf('__') + 2) : own)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .toLowerCase();
}

function told(tool: string, text: string, asked: ReadonlySet<string>): string {
  const value = parsed(text);
  if (isFailure(value)) {
    const { message, reason } = value;
    return `The tool “${tool}” failed: ${message}${typeof reason === 'string' ? ` The reason given: ${short(reason, MAX_TEXT)}` : ''}`;
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return `The tool “${tool}” gave no results.`;
    const more = value.length > MAX_ROWS ? ` Here are the first ${MAX_ROWS}.` : '';
    return `The tool “${tool}” gave ${value.length} ${value.length === 1 ? 'result' : 'results'}.${more}\n\n${table(value, asked)}`;
  }
  if (typeof value === 'object' && value !== null) return `The tool “${tool}” gave this:\n\n${sheet(value)}`;
  return toldText(tool, text);
}

/** What is data in it stands between two marks, with a sentence before them that is for the model. */
function toldText(tool: string, text: string): string {
  const fenced = /<((?:data|error)-[0-9a-f]{8,32})>\n/.exec(text.slice(0, MAX_FENCED));
  if (!fenced) return `The tool “${tool}” gave this: ${short(text.trim(), MAX_TEXT)}`;
  const [open = '', name = ''] = fenced;
  const from = fenced.index + open.length;
  const end = text.indexOf(`</${name}>`, from);
  const inside = text.slice(from, end < 0 ? from + MAX_FENCED : end).trim();
  const sentence = text.slice(0, fenced.index);
  if (name.startsWith('error')) {
    const [code = ''] = sentence.split(' What the server says');
    return `The tool “${tool}” failed: ${code.trim()} ${short(inside, MAX_TEXT)}`.trim();
  }
  const lines = inside.split('\n').slice(-MAX_LINES).reverse();
  const [head = ''] = sentence.split('\n');
  const [newest = ''] = lines;
  const before = lines.slice(1).map((line) => `- ${sayLine(line)}`);
  return [
    `The tool “${tool}” gave ${head.replace(/, oldest first\.$/, '.')}`,
    `The newest: ${sayLine(newest)}`,
    ...(before.length > 0 ? [`Before it:\n\n${before.join('\n')}`] : []),
  ].join('\n\n');
}

const LINE =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\S{0,8} (debug|info|warn|error|fatal) (\S{1,200}) (\S{1,200}) (.*)$/;

/** An entry of a log as somebody would say it: who, when and how bad; then the message, without the id. */
function sayLine(line: string): string {
  const [, time = '', level = '', , source = '', rest = ''] = LINE.exec(line) ?? [];
  if (time === '') return short(line, MAX_TEXT);
  const run = / run=(\S{1,200})(?: #\S{1,64})?$/.exec(rest)?.[1];
  const message = rest.replace(/ #\S{1,64}$/, '').replace(/ run=\S{1,200}$/, '');
  const inRun = run === undefined ? '' : `, in run ${run}`;
  return `${source}, ${level} at ${time.replace('T', ' ')} UTC${inRun}: ${short(message, MAX_TEXT)}`;
}

function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most).toWellFormed()}…` : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFailure(value: unknown): value is { code: string; message: string; reason?: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string';
}

/** An object: its fields as one table, and each of its lists of objects as another. */
function sheet(value: object): string {
  const fields = Object.entries(flat(value)).map(([field, is]) => ({ field, value: is }));
  const lists = Object.entries(value)
    .filter(([, is]) => Array.isArray(is) && is.some((one) => typeof one === 'object' && one !== null))
    .slice(0, MAX_TABLES);
  return [
    table(fields),
    ...lists.map(([name, is]) => `${short(cell(name), MAX_CELL)}:\n\n${table(is)}`),
  ].join('\n\n');
}

/** Fields of fields become fields; what holds more is left out. */
function flat(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return { value: cell(value) };
  const fields: Record<string, string> = {};
  for (const [name, is] of Object.entries(value)) {
    if (Array.isArray(is)) {
      if (is.length > 0 && is.every((one) => typeof one !== 'object')) fields[name] = cell(is.join(', '));
    } else if (typeof is === 'object' && is !== null) {
      for (const [inner, one] of Object.entries(is)) if (typeof one !== 'object') fields[inner] = cell(one);
    } else fields[name] = cell(is);
  }
  return fields;
}

function cell(value: unknown): string {
  return String(value)
    .replace(/[|\s]+/g, ' ')
    .slice(0, MAX_CELL)
    .toWellFormed();
}

const NOTHING_ASKED: ReadonlySet<string> = new Set();

/** The first column names the row. Of the others those that were asked for come first, and those that say the same of all rows last. */
function table(all: readonly unknown[], asked = NOTHING_ASKED): string {
  const flats = all.slice(0, MAX_ROWS).map(flat);
  const names = [...new Set(flats.flatMap((row) => Object.keys(row)))];
  const rank = (name: string): number => {
    if (name === names[0]) return 0;
    if (wordsOf(name).some((word) => asked.has(stem(word)))) return 1;
    const isSame = flats.length > 1 && flats.every((row) => row[name] === flats[0]?.[name]);
    return isSame ? 3 : 2;
  };
  const columns = names
    .map((name, at) => ({ name, at, rank: rank(name) }))
    .sort((a, b) => a.rank - b.rank || a.at - b.at)
    .slice(0, MAX_COLUMNS)
    .sort((a, b) => a.at - b.at)
    .map(({ name }) => name);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(cell)),
    line(columns.map(() => '---')),
    ...flats.map((row) => line(columns.map((name) => row[name] ?? ''))),
  ].join('\n');
}
