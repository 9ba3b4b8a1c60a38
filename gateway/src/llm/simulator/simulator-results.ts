// What the simulated model says of the results of tools: a sentence and a table of each, and the name of each that failed.

import type { Composition } from './simulator-prose.ts';
import type { ToolResult } from './simulator-tools.ts';

const MAX_ROWS = 10;
const MAX_COLUMNS = 6;
const MAX_TEXT = 600;
const MAX_CELL = 60;

export function composeResults(results: readonly ToolResult[]): Composition {
  const parts = results.map(({ name, text }) => told(nameOf(name), text));
  return {
    reasoning: `I have ${results.length === 1 ? 'a result' : `${results.length} results`}. Say what was found, and what was not.`,
    text: parts.join('\n\n'),
  };
}

function nameOf(tool: string): string {
  const own = tool.includes('__') ? tool.slice(tool.indexOf('__') + 2) : tool;
  return own
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .toLowerCase();
}

function told(tool: string, text: string): string {
  const value = parsed(text);
  if (isFailure(value)) return `I could not ${tool}: ${value.message}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return `To ${tool} gave nothing that fits.`;
    const more = value.length > MAX_ROWS ? ` Here are the first ${MAX_ROWS}.` : '';
    return `To ${tool} gave ${value.length} ${value.length === 1 ? 'result' : 'results'}.${more}\n\n${table(value.slice(0, MAX_ROWS))}`;
  }
  if (typeof value === 'object' && value !== null)
    return `To ${tool} gave this:\n\n${table(Object.entries(flat(value)).map(([field, is]) => ({ field, value: is })))}`;
  return `To ${tool} gave this: ${text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT).toWellFormed()}…` : text}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFailure(value: unknown): value is { code: string; message: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string';
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

function table(rows: readonly unknown[]): string {
  const flats = rows.map(flat);
  const columns = [...new Set(flats.flatMap((row) => Object.keys(row)))].slice(0, MAX_COLUMNS);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(columns),
    line(columns.map(() => '---')),
    ...flats.map((row) => line(columns.map((name) => row[name] ?? ''))),
  ].join('\n');
}
