// In which order the fleet's rows stand: by trouble, with those of one host or service together where that is said, or by a column.
import { COLUMNS } from './columns.ts';
import type { FleetRow } from './model.ts';

export interface Group {
  /** What stands above its rows; undefined for rows that stand by themselves. */
  title: string | undefined;
  /** Whether all its rows are of the host or service that the title names. */
  isPlace: boolean;
  rows: FleetRow[];
}

/** Made once: a collator costs more than a thousand comparisons. */
const byText = new Intl.Collator('en', { numeric: true }).compare;

type Compare = (a: FleetRow, b: FleetRow) => number;

/**
 * Sorted by a column, rows stand in that order alone. By trouble, what is in trouble comes first, wherever it runs; of the rest, those of
 * one host or service are together. A host with one source is no group.
 */
export function ordered(rows: readonly FleetRow[], sort: string): Group[] {
  const sorted = [...rows].sort(comparison(sort));
  const places = new Map<string, FleetRow[]>();
  const members = new Map<string, number>();
  const alone: FleetRow[] = [];
  const troubled: FleetRow[] = [];
  for (const row of sorted) {
    const own = row.group === undefined ? alone : (places.get(row.group) ?? []);
    if (row.group !== undefined) {
      places.set(row.group, own);
      members.set(row.group, (members.get(row.group) ?? 0) + 1);
    }
    if (row.trouble.rank > 0) troubled.push(row);
    else own.push(row);
  }
  if (sort !== '' || places.size === 0) return [{ title: undefined, isPlace: false, rows: sorted }];
  const groups: Group[] = [];
  if (troubled.length > 0) groups.push({ title: 'in trouble', isPlace: false, rows: troubled });
  // By name, too: in the order of their rows, each row that gets into trouble would move whole hosts.
  for (const [place, own] of [...places].sort(([a], [b]) => byText(a, b))) {
    if (members.get(place) === 1) alone.push(...own);
    else if (own.length > 0) groups.push({ title: place, isPlace: true, rows: own });
  }
  if (alone.length > 0) groups.push({ title: 'others', isPlace: false, rows: alone.sort(byTrouble) });
  return groups;
}

/** The sort that a click on a column's title asks for. */
export function nextSort(sort: string, key: string): string {
  return sort === key ? `-${key}` : sort === `-${key}` ? '' : key;
}

function comparison(sort: string): Compare {
  const column = COLUMNS.find(({ key, value }) => value && (sort === key || sort === `-${key}`));
  if (!column?.value) return byTrouble;
  const { value, isName } = column;
  const sign = sort.startsWith('-') ? -1 : 1;
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === undefined || y === undefined)
      return Number(x === undefined) - Number(y === undefined) || byName(a, b);
    if (isName) return sign * byText(String(x), String(y)) || byName(a, b);
    return sign * (Number(y) - Number(x)) || byName(a, b);
  };
}

// Within a rank by name, since rows that change places all the time cannot be read.
function byTrouble(a: FleetRow, b: FleetRow): number {
  return b.trouble.rank - a.trouble.rank || Number(b.isBackend) - Number(a.isBackend) || byName(a, b);
}

function byName(a: FleetRow, b: FleetRow): number {
  return byText(a.source, b.source);
}
