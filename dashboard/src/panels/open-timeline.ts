// Opens the picture of a run: that of the row under the cursor, or where there is no cursor, of the newest run that the filter shows.
import { runKeyOf } from '../state/run-key.ts';
import { cursorRow, filter, showNotice, updateView } from '../state/store.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import type { LogBuffer } from '../stream/buffer.ts';

export function openTimeline(buffer: LogBuffer): void {
  const at = cursorRow.value;
  const timeline = at ? at.kind === 'entry' && runKeyOf(at) : newestRun(buffer);
  if (timeline) updateView({ ...LOG_ALONE, timeline }, 'replace');
  else showNotice(at ? 'the row is of no run' : 'no entry here is of a run');
}

function newestRun(buffer: LogBuffer): string | undefined {
  for (let at = buffer.end - 1; at >= buffer.first; at--) {
    const row = buffer.get(at);
    const isShown = row?.kind === 'entry' && row.run !== undefined && filter.value.test(row);
    const key = isShown ? runKeyOf(row) : undefined;
    if (key !== undefined) return key;
  }
  return undefined;
}
