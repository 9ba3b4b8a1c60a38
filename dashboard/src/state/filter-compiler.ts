// Compiles what the view says about its rows, filter, level, range and highlights, and sets the signals that hold the result. It is
// loaded with the first view that says any of it; the engine for regular expressions is loaded with the first expression.
import { lazyModule } from '../lazy.ts';
import { compileFilter, type Filter } from '../log/filter.ts';
import { FilterError, PatternsMissing } from '../log/filter-terms.ts';
import type { Pattern, PatternOf } from '../regex/pattern.ts';
import { filter, filterProblem, hits } from './store.ts';
import type { ViewState } from './view-state.ts';
import { noticeMissing } from './when-wanted.ts';

const patternModule = lazyModule(
  () => import('../regex/bounded.ts'),
  noticeMissing('what matches regular expressions'),
);

export class FilterCompiler {
  #patternOf: PatternOf | undefined;

  /** False where an expression needs an engine that is not loaded: then the filter before stays. */
  compile({ q, level, range, hl }: ViewState): boolean {
    try {
      const compiled = compileFilter(q, level, this.#patternOf);
      filter.value = range ? within(compiled, range) : compiled;
      filterProblem.value = '';
    } catch (error) {
      if (error instanceof PatternsMissing) return false;
      if (!(error instanceof FilterError)) throw error;
      filterProblem.value = error.message;
    }
    try {
      hits.value = [...filter.value.hits, ...this.#hitsOf(hl)];
    } catch (error) {
      if (error instanceof PatternsMissing) return false;
      throw error;
    }
    return true;
  }

  /** Loads the engine for regular expressions; false where it could not be loaded. */
  async loadPatterns(): Promise<boolean> {
    this.#patternOf ??= (await patternModule())?.boundedPattern;
    return this.#patternOf !== undefined;
  }

  #hitsOf(highlight: string): Pattern[] {
    try {
      return compileFilter(highlight, '', this.#patternOf).hits;
    } catch (error) {
      if (error instanceof FilterError) return [];
      throw error;
    }
  }
}

function within(compiled: Filter, { from, to }: { from: number; to: number }): Filter {
  const { test } = compiled;
  return { ...compiled, test: (row) => row.time >= from && row.time <= to && test(row) };
}
