// Why an entry passed a filter, where its row does not say it: the attribute that matched, in short, safe to show.
import { type Pattern, rowBudget } from '../regex/pattern.ts';
import type { EntryRow } from '../stream/row.ts';
import { spansOf } from './text.ts';

const MAX_NAME = 40;
const MAX_VALUE = 40;
/** How much of a long value is shown before what was found in it. */
const BEFORE = 12;
/** Attributes of more characters are not looked through again only to say why. */
const MAX_RAW = 100_000;

/** The attribute in which a text was found, or nothing where the row itself shows it. */
export function reasonOfText(row: EntryRow, pattern: Pattern): string {
  const budget = rowBudget();
  if (row.raw.length > MAX_RAW || pattern.test(row.msg, budget)) return '';
  if (row.event !== undefined && pattern.test(row.event, budget)) return '';
  for (const [name, value] of Object.entries(row.attrs())) {
    if (!pattern.test(`"${name}":${JSON.stringify(value)}`, budget)) continue;
    return describe(name, value, pattern.find(asText(value))[0]?.start);
  }
  return '';
}

export function describe(name: string, value: unknown, found = 0): string {
  // Six digits say why a number passed; sixteen push the message off the row.
  const text = asText(typeof value === 'number' && found === 0 ? Number(value.toPrecision(6)) : value);
  const from = Math.max(0, found - BEFORE);
  const part = `${from > 0 ? '…' : ''}${text.slice(from, from + MAX_VALUE)}${text.length > from + MAX_VALUE ? '…' : ''}`;
  return spansOf(`${name.slice(0, MAX_NAME)}: ${part}`, MAX_NAME + MAX_VALUE + 4, false)
    .map((span) => span.text)
    .join('');
}

export function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
