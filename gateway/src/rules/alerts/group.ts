// What a rule's alerts tell apart: the values of an entry that `by` names. Each group is an alert of its own, with an id that is the
// same each time.

import { createHash } from 'node:crypto';
import type { Hit, Seen } from '../detector.ts';

/** Characters of one value, and of all values in an id. */
const MAX_VALUE = 80;
const MAX_ID = 200;
/** Characters of a text of which the kind is told. */
const MAX_KIND = 300;

export type Group = Readonly<Record<string, string>>;

/** Undefined where the rule tells nothing apart. */
export function groupOf(by: readonly string[] | undefined, { groups }: Hit, seen: Seen): Group | undefined {
  if (by === undefined) return undefined;
  const group: Record<string, string> = Object.create(null);
  for (const name of by) group[name] = shown(groupedBy(name, groups, seen));
  return group;
}

/** The group of all those for which there is no room any more. */
export function othersOf(by: readonly string[]): Group {
  return Object.fromEntries(by.map((name) => [name, '(others)']));
}

export function alertId(rule: string, group: Group | undefined): string {
  if (group === undefined) return rule;
  const values = Object.values(group);
  const text = values.join(', ');
  // Other values could have the same text, or the same beginning.
  const isShared = text.length > MAX_ID || values.some((value) => value.includes(','));
  const mark = isShared
    ? `#${createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 8)}`
    : '';
  return `${rule}/${text.slice(0, MAX_ID).toWellFormed()}${mark}`;
}

function groupedBy(name: string, groups: Hit['groups'], { entry }: Seen): unknown {
  switch (name) {
    case 'source':
      return entry.source;
    case 'channel':
      return entry.channel;
    case 'run':
      return entry.run;
    case 'text':
      return kindOfText(entry.msg);
    default:
      return Object.hasOwn(groups, name) ? groups[name] : attribute(entry.attrs, name);
  }
}

export function attribute(attrs: Record<string, unknown> | undefined, name: string): unknown {
  return attrs !== undefined && Object.hasOwn(attrs, name) ? attrs[name] : undefined;
}

/** A text without what differs each time, so that `timeout after 31 s` and `timeout after 30 s` are of one kind. */
function kindOfText(text: string): string {
  return text
    .slice(0, MAX_KIND)
    .replaceAll(/"[^"]*"|\b(?:[0-9a-f]{8,}|[0-9a-f]+-[0-9a-f-]{8,})\b|\d+/gi, '#')
    .trim();
}

function shown(value: unknown): string {
  const text =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '-';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const line = text.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ');
  return (line.length > MAX_VALUE ? `${line.slice(0, MAX_VALUE - 1)}…` : line).toWellFormed() || '-';
}
