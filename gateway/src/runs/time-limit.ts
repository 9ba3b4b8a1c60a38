// How long a model may take.

import { LlmError } from '../llm/failure.ts';

/** Aborts with `signal`, or after `ms` with `llm_timeout`. */
export function timeLimit(signal: AbortSignal, ms: number): { signal: AbortSignal; clear: () => void } {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new LlmError('llm_timeout')), Math.max(0, ms));
  return { signal: AbortSignal.any([signal, late.signal]), clear: () => clearTimeout(timer) };
}
