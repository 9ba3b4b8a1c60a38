// What the reader is sent to from the chat comes in front: no picture stays before the log, and where the chat covers the log, it closes.
import { isFiltered } from '../state/run-state.ts';
import { viewState } from '../state/store.ts';
import { LOG_ALONE, type ViewState } from '../state/view-state.ts';

const isNarrow = () => matchMedia('(max-width: 700px)').matches;

export function inFront(): Partial<ViewState> {
  return { ...LOG_ALONE, ...(isNarrow() && { panel: 'none' }) };
}

/** Whether the reader sees the log of this run alone. */
export function isInFront(channel: string): boolean {
  const { fleet, running, timeline } = viewState.value;
  return isFiltered(channel) && !fleet && !running && timeline === '' && !isNarrow();
}
