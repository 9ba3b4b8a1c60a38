// The totals of a run: sums over its spans. What runs side by side counts for each, so the times by kind may exceed the run's own.
import { type PartKind, type Span, spansIn } from './span.ts';

export interface Totals {
  lanes: number;
  spans: number;
  /** Undefined where nobody says them. */
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  isEstimated: boolean;
  errors: number;
  retries: number;
  /** Milliseconds. */
  byKind: Partial<Record<PartKind, number>>;
}

export function totalsOf(root: Span): Totals {
  const totals: Totals = {
    lanes: root.children.filter(({ key }) => key.startsWith('lane ')).length,
    spans: 0,
    inputTokens: undefined,
    outputTokens: undefined,
    isEstimated: false,
    errors: 0,
    retries: 0,
    byKind: {},
  };
  for (const span of spansIn(root)) {
    if (span === root) continue;
    totals.spans++;
    // The lane of several generations repeats what these say.
    if (span.kind === 'lane') continue;
    if (span.state === 'failed') totals.errors++;
    if (span.attempt > 1) totals.retries++;
    totals.inputTokens = sum(totals.inputTokens, span.inputTokens);
    totals.outputTokens = sum(totals.outputTokens, span.outputTokens);
    if (span.isEstimated && span.outputTokens !== undefined) totals.isEstimated = true;
    for (const { kind, from, to } of span.parts)
      totals.byKind[kind] = (totals.byKind[kind] ?? 0) + (to - from);
  }
  return totals;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return b === undefined ? a : (a ?? 0) + b;
}
