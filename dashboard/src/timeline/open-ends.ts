// Until when work that has not ended is drawn, and what is then said of it.
import type { Part, PartKind, SpanState } from './span.ts';

export interface OpenEnds {
  /** The end of the run; of one that has none, now, or the last sign of life if that is long ago. */
  edge: number;
  /** Whether what has not ended is still running. */
  isRunning: boolean;
  /** Whether a run was announced. Where none was, as of a call through the door, nobody may ever say that a tool has returned. */
  isBegun: boolean;
  /** Whether the run has ever logged its tokens as they come: without that, nobody knows when the first one came. */
  hasDeltas: boolean;
}

export function openState({ isRunning }: OpenEnds): SpanState {
  return isRunning ? 'running' : 'unknown';
}

/** One part, which ends at the edge if its end is not known; none if its beginning is not known. */
export function partsUpTo(
  kind: PartKind,
  from: number | undefined,
  to: number | undefined,
  { edge }: OpenEnds,
): Part[] {
  return from === undefined ? [] : [{ kind, from, to: Math.max(from, to ?? edge) }];
}
