// The tokens and the time that model calls have used.

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
