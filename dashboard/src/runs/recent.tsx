// The recent runs: how each ended, how long it took, how many tokens it used. A click shows the run and filters the log
// to it.
import type { RunSummary } from '@llm-streamer/shared/api-types.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { clockOf, duration } from '../log/time.ts';
import type { Viewport } from '../log/viewport.ts';
import { filterLog, reader, run, shownChannel } from '../state/run-state.ts';
import { recentRuns } from './run-client.ts';

const TONE: Record<string, string> = { finished: 'good', running: 'warn', cancelled: 'dim' };

/** Another's run is named with its owner. */
function nameOf({ owner, message_id }: RunSummary): string {
  return owner === undefined || owner === reader.value.owner ? message_id : `${owner}/${message_id}`;
}

interface RecentProps {
  show(channel: string): void;
  viewport: Pick<Viewport, 'latest'>;
}

export function Recent({ show, viewport }: RecentProps) {
  const runs = useSignal<RunSummary[]>([]);
  const shown = useSignal('');
  useSignalEffect(() => {
    // Changes whenever a run is shown or ends, so that the list is loaded again.
    shown.value = `${run.value && shownChannel.value} ${run.value?.state}`;
  });
  useSignalEffect(() => {
    if (shown.value === '') return;
    recentRuns()
      .then((list) => {
        runs.value = list;
      })
      .catch(() => {
        runs.value = []; // the stream's state already says that the gateway cannot be reached
      });
  });
  if (runs.value.length === 0) return null;
  return (
    <section class="recent" aria-label="Recent runs">
      <h2 class="dim">recent runs</h2>
      <ul>
        {runs.value.map((each) => (
          <li key={each.channel}>
            <button
              type="button"
              aria-pressed={run.value !== undefined && shownChannel.value === each.channel}
              onClick={() => {
                show(each.channel);
                filterLog(each.channel);
                viewport.latest();
              }}
            >
              <span class="dim">{clockOf(each.started)}</span>
              <span class="name">{nameOf(each)}</span>
              <span class={TONE[each.state] ?? 'bad'}>{each.state}</span>
              <span>{each.duration_ms === undefined ? '' : duration(each.duration_ms)}</span>
              <span class="dim">{each.usage.output_tokens > 0 ? `${each.usage.output_tokens} tok` : ''}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
