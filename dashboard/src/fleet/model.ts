// All sources of a stream: entries in, figures out. It knows at most 500 sources, and says where there were more: the one heard longest ago
// goes, backends last. It depends on nothing on screen, and asks nobody: the same entries give the same figures.

import { logTimeOf } from '../pictures/entry-feed.ts';
import { oldestOf } from '../pictures/oldest.ts';
import type { EntryRow } from '../stream/row.ts';
import { quantile } from './ascending.ts';
import type { EarlierCalls } from './earlier-calls.ts';
import { Source, type SourceFigures } from './source.ts';
import { LEAST_SAMPLES, type Trouble, troubleOf } from './trouble.ts';

export const MAX_SOURCES = 500;
export interface FleetRow extends SourceFigures {
  trouble: Trouble;
}

export interface Totals {
  sources: number;
  models: number;
  /** Sums of what is known; undefined where no source says it. */
  tokensPerSecond: number | undefined;
  running: number | undefined;
  queued: number | undefined;
  errors: number;
  /** Rows with trouble. */
  inTrouble: number;
}

export class FleetModel {
  /** Whether a source was dropped because others were heard later. */
  isOverfull = false;
  /** When the log got the first entry that was counted, in ms; Infinity before that. */
  from = Number.POSITIVE_INFINITY;
  readonly #sources = new Map<string, Source>();

  count(row: EntryRow): void {
    const at = logTimeOf(row);
    if (!(at >= 0)) return;
    if (at < this.from) this.from = at;
    this.#source(row.source, at).count(row, at);
  }

  /** Calls of tools that were made before the first entry that was counted. */
  addEarlierCalls(earlier: EarlierCalls): void {
    // None makes room for what was heard before all others.
    for (const [name, { calls, last }] of earlier.bySource)
      if (calls.oldest && (this.#sources.has(name) || this.#sources.size < MAX_SOURCES))
        this.#source(name, logTimeOf(last)).addEarlierCalls(calls, last);
  }

  /** The figures of one source after the other, so that whoever asks can pause. `now` is the log's time in ms. */
  *figures(now: number): Generator<SourceFigures> {
    for (const source of [...this.#sources.values()]) yield source.figures(now);
  }

  clear(): void {
    this.#sources.clear();
    this.isOverfull = false;
    this.from = Number.POSITIVE_INFINITY;
  }

  #source(name: string, at: number): Source {
    const known = this.#sources.get(name);
    if (known) return known;
    if (this.#sources.size >= MAX_SOURCES) this.#dropOldest();
    const source = new Source(name, at);
    this.#sources.set(name, source);
    return source;
  }

  #dropOldest(): void {
    // A backend that has gone silent is what the reader must see.
    const oldest = oldestOf(this.#sources.values(), ({ isBackend }) => !isBackend);
    if (oldest) this.#sources.delete(oldest.name);
    this.isOverfull = true;
  }
}

/** Judges each source by its own figures and those of all. */
export function rowsOf(all: readonly SourceFigures[]): FleetRow[] {
  const medians = all
    .flatMap(({ firstToken }) => (firstToken && firstToken.count >= LEAST_SAMPLES ? [firstToken.p50] : []))
    .sort((a, b) => a - b);
  const fleetMedian = medians.length >= 3 ? quantile(medians, 0.5) : Number.NaN;
  return all.map((figures) => ({ ...figures, trouble: troubleOf(figures, fleetMedian) }));
}

export function totalsOf(rows: readonly FleetRow[]): Totals {
  const sum = (values: (number | undefined)[]) => {
    const known = values.filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0);
  };
  return {
    sources: rows.length,
    models: new Set(rows.flatMap(({ model }) => model ?? [])).size,
    tokensPerSecond: sum(rows.map((row) => row.tokensPerSecond)),
    running: sum(rows.map((row) => row.running)),
    queued: sum(rows.map((row) => row.queued)),
    errors: rows.reduce((all, { errors }) => all + errors, 0),
    inTrouble: rows.filter(({ trouble }) => trouble.rank > 0).length,
  };
}
