// What one scenario measured of one design, the median over rounds, and how both are printed.

/** A figure is missing if it was not measured, or cannot be. */
export interface Figures {
  /** Deliveries per second: one entry that reaches one viewer is one delivery. */
  rate?: number;
  p50?: number;
  p99?: number;
  /** CPU seconds per million deliveries. */
  cpu?: number;
  redisCpu?: number;
  loadCpu?: number;
  /** Bytes on the wire per delivery. */
  bytes?: number;
  /** kB of the server's memory per viewer. */
  memory?: number;
  /** Entries that did not come, or came twice or out of order, over all rounds. */
  lost?: number;
  repeated?: number;
  /** Figures that only some scenarios measure, for bars and notes. */
  more?: Readonly<Record<string, number>>;
  /** What a reader must know to judge the row. */
  notes?: readonly string[];
}

type Figure = { [K in keyof Figures]-?: NonNullable<Figures[K]> extends number ? K : never }[keyof Figures];

const SUMMED: readonly Figure[] = ['lost', 'repeated'];
const MEDIAN: readonly Figure[] = ['rate', 'p50', 'p99', 'cpu', 'redisCpu', 'loadCpu', 'bytes', 'memory'];

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The median of each figure by itself. Losses are added up, and the notes of all rounds are kept. */
export function medianOf(rounds: readonly Figures[]): Figures {
  const valuesOf = (pick: (figures: Figures) => number | undefined) =>
    rounds.map(pick).filter((value) => value !== undefined && !Number.isNaN(value)) as number[];
  const result: Figures = {};
  for (const key of MEDIAN) {
    const values = valuesOf((figures) => figures[key]);
    if (values.length > 0) result[key] = median(values);
  }
  for (const key of SUMMED) {
    const values = valuesOf((figures) => figures[key]);
    if (values.length > 0) result[key] = values.reduce((total, value) => total + value, 0);
  }
  const names = new Set(rounds.flatMap(({ more }) => Object.keys(more ?? {})));
  result.more = Object.fromEntries(
    [...names].map((name) => [name, median(valuesOf(({ more }) => more?.[name]))]),
  );
  result.notes = [...new Set(rounds.flatMap(({ notes }) => notes ?? []))];
  return result;
}

export const COLUMNS = [
  'scenario',
  'design',
  'rounds',
  'deliveries/s',
  'p50 ms',
  'p99 ms',
  'CPU s/M',
  'Redis CPU s/M',
  'load CPU s/M',
  'bytes/delivery',
  'kB/viewer',
  'lost',
  'repeated',
  'notes',
  'bars',
] as const;

export function header(): string {
  return `${line(COLUMNS)}\n|${COLUMNS.map(() => '---').join('|')}|`;
}

export function row(
  scenario: string,
  design: string,
  rounds: number,
  figures: Figures,
  bars: string,
): string {
  const { rate, p50, p99, cpu, redisCpu, loadCpu, bytes, memory, lost, repeated, notes = [] } = figures;
  const latencies = [p50, p99].map((value) => short(value));
  const costs = [cpu, redisCpu, loadCpu].map((value) => short(value));
  const counts = [lost, repeated].map((value) => (value === undefined ? '' : `${Math.round(value)}`));
  const measured = [grouped(rate), ...latencies, ...costs, short(bytes), short(memory), ...counts];
  return line([scenario, design, `${rounds}`, ...measured, notes.join('; '), bars]);
}

export function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Rounds to three significant digits. */
export function short(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '';
  if (!Number.isFinite(value)) return '∞';
  return Math.abs(value) >= 100 ? `${Math.round(value)}` : `${Number(value.toPrecision(3))}`;
}

export function grouped(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en-US');
}
