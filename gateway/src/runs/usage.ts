// The tokens and the time that model calls have used.

import type { LaneSnapshot } from '@llm-streamer/shared/run.ts';

export interface Usage {
  inputTokens: number;
  outputTokens: number;
  /** The numbers are estimates: the answer broke off, or its service reports no usage. */
  estimated?: true;
}

/** What a whole run has used. */
export interface RunTotals extends Usage {
  durationMs: number;
}

/** The sum of several lanes; an estimate if one of them is. */
export function sumOf(usages: readonly Usage[]): Usage {
  const inputTokens = usages.reduce((sum, usage) => sum + usage.inputTokens, 0);
  const outputTokens = usages.reduce((sum, usage) => sum + usage.outputTokens, 0);
  return { inputTokens, outputTokens, ...(usages.some(({ estimated }) => estimated) && { estimated: true }) };
}

/** What lanes have used so far: counted by the model for those that finished, and estimated for the others. */
export function usedBy(lanes: readonly LaneSnapshot[]): Usage {
  const answering = lanes.filter(({ firstContent, state }) => firstContent > 0 || state === 'finished');
  return sumOf(
    answering.map(({ state, inputTokens, outputTokens }) => {
      return { inputTokens, outputTokens, ...(state !== 'finished' && { estimated: true }) };
    }),
  );
}
