// Until when work that has not ended is drawn, and what is then said of it.
import type { Part, PartKind, SpanState } from './span.ts';

export interface Clock {
  /** The end of the run; of one that has none, now, or the last sign of life if that is long ago. */
  edge: number;
  /** Whether what has not ended is still running. */
  isRunning: boolean;
  /** Whether a run was announced. Where none was, as of a call through the door, nobody may ever say that a tool has returned. */
  isBegun: boolean;
  /** Whether the run has ever told its tokens as they come: without that, nobody knows when the first one came. */
  hasDeltas: boolean;
}

export function openState({ isRunning }: Clock): SpanState {
  return isRunning ? 'running' : 'unknown';
}

/** A part that ends at the edge if its end is not told; none where its beginning is not told. */
export function part(
  kind: PartKind,
  from: number | undefined,
  to: number | undefined,
  { edge }: Clock,
): Part[] {
  return from === undefined ? [] : [{ kind, from, to: Math.max(from, to ?? edge) }];
}
