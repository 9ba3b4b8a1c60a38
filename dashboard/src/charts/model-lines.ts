// The lines of models: the few that make most tokens each have their own, in colours that can be told apart, and the rest have one together.
import { hueOf } from '../log/hue.ts';
import type { Line } from './line.ts';
import { type ModelSeries, WINDOW_SECONDS } from './series.ts';

/** With more lines nobody can tell which is which. */
const NAMED = 5;
const HUES = 18;
/** Neighbouring hues look the same. */
const APART = 3;
/** Which models are named is judged again so often: lines that change their names all the time cannot be read. */
const RANKED_MS = 60_000;

export class ModelLines {
  readonly #models: ReadonlyMap<string, ModelSeries>;
  #named: string[] = [];
  readonly #hues = new Map<string, number>();
  #known = 0;
  #rankedAt = Number.NEGATIVE_INFINITY;

  constructor(models: ReadonlyMap<string, ModelSeries>) {
    this.#models = models;
  }

  lines(pick: keyof ModelSeries): Line[] {
    this.#rank();
    const sparse = pick === 'ttft';
    const lines: Line[] = this.#named.map((name) => ({
      // `meta-llama/Llama-3-8B` is labelled `Llama-3-8B`.
      label: name.slice(name.lastIndexOf('/') + 1),
      color: `h${this.#hues.get(name)}`,
      values: this.#models.get(name)?.[pick] ?? [],
      sparse,
    }));
    const rest = [...this.#models]
      .filter(([name]) => !this.#named.includes(name))
      .map(([, model]) => model[pick]);
    if (rest.length === 0) return lines;
    const label = sparse ? `the slowest of ${rest.length} more` : `${rest.length} more`;
    return [...lines, { label, color: 'dim', values: sparse ? highest(rest) : sum(rest), sparse }];
  }

  #rank(): void {
    const now = performance.now();
    if (this.#known === this.#models.size && now - this.#rankedAt < RANKED_MS) return;
    this.#known = this.#models.size;
    this.#rankedAt = now;
    const made = new Map([...this.#models].map(([name, { tokens }]) => [name, total(tokens)]));
    this.#named = [...this.#models.keys()]
      .filter((name) => name !== 'others')
      .sort((a, b) => (made.get(b) ?? 0) - (made.get(a) ?? 0) || (a < b ? -1 : 1))
      // One more would be `1 more`: it takes the same room with its name.
      .slice(0, this.#models.size === NAMED + 1 ? NAMED + 1 : NAMED);
    for (const name of this.#hues.keys()) if (!this.#named.includes(name)) this.#hues.delete(name);
    for (const name of this.#named)
      if (!this.#hues.has(name)) this.#hues.set(name, this.#freeHue(hueOf(name)));
  }

  /** The model's own hue where it can be told from those that are taken, else the next that can. */
  #freeHue(own: number): number {
    const taken = [...this.#hues.values()];
    const isFree = (hue: number) =>
      taken.every((other) => Math.min((hue - other + HUES) % HUES, (other - hue + HUES) % HUES) >= APART);
    const hues = Array.from({ length: HUES }, (_, i) => (own + i) % HUES);
    return hues.find(isFree) ?? hues.find((hue) => !taken.includes(hue)) ?? own;
  }
}

function total(values: Float64Array): number {
  return values.reduce((all, value) => all + value, 0);
}

function sum(all: readonly Float64Array[]): Float64Array {
  return Float64Array.from({ length: WINDOW_SECONDS }, (_, i) =>
    all.reduce((value, each) => value + (each[i] ?? 0), 0),
  );
}

function highest(all: readonly Float64Array[]): Float64Array {
  return Float64Array.from({ length: WINDOW_SECONDS }, (_, i) =>
    Math.max(...all.map((each) => each[i] ?? 0)),
  );
}
