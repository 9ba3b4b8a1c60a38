// Lists the channels with their rate and last activity. A click adds a channel to the view or removes it.

import type { ChannelSummary, ChannelsAnswer, Problem } from '@llm-streamer/shared/api-types.ts';
import { isPattern, matches, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { duration } from '../log/time.ts';
import { showNotice, updateView, viewState } from '../state/store.ts';
import '../../styles/list.css';

const EVERY_MS = 2_000;

export function ChannelList() {
  const channels = useSignal<ChannelSummary[]>([]);
  const problem = useSignal('');
  const now = useSignal(Date.now());
  useSignalEffect(() => {
    if (!viewState.value.list) return undefined;
    const load = async () => {
      if (document.visibilityState === 'hidden') return;
      try {
        const response = await fetch(new URL('api/channels', document.baseURI), { cache: 'no-store' });
        const body = (await response.json()) as Partial<ChannelsAnswer & Problem>;
        channels.value = body.channels ?? [];
        problem.value = response.ok ? '' : (body.title ?? `HTTP ${response.status}`);
      } catch {
        problem.value = 'the gateway cannot be reached';
      }
      now.value = Date.now();
    };
    const refresh = () => {
      load().catch(reportError);
    };
    refresh();
    const timer = setInterval(refresh, EVERY_MS);
    return () => clearInterval(timer);
  });
  const chosen = viewState.value.channels;
  const extra = chosen.filter((pattern) => !channels.value.some(({ channel }) => channel === pattern));
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const input = event.currentTarget.elements.namedItem('pattern') as HTMLInputElement;
          if (isPattern(input.value)) toggle(input.value, true);
          else showNotice(`a channel is ${PATTERN_RULE}`);
          input.value = '';
        }}
      >
        <input
          name="pattern"
          aria-label="Add a channel or pattern"
          placeholder="+ channel or pattern*"
          autocomplete="off"
        />
      </form>
      {problem.value !== '' && <p class="bad">{problem.value}</p>}
      <ul>
        {extra.map((pattern) => (
          <li key={pattern}>
            <button
              type="button"
              aria-pressed={true}
              title="take out of the view"
              onClick={() => toggle(pattern, false)}
            >
              <span class="name">{pattern}</span>
            </button>
          </li>
        ))}
        {channels.value.map(({ channel, rate, lastTime, entries }) => {
          const isShown = chosen.some((pattern) => matches(pattern, channel));
          return (
            <li key={channel}>
              <button
                type="button"
                aria-pressed={isShown}
                title={`${entries.toLocaleString('en')} kept; double click: only this`}
                onClick={() => toggle(channel, !isShown)}
                onDblClick={() => updateView({ channels: [channel] })}
              >
                <span class="name">{channel}</span>
                <span class="dim">
                  {rate === null ? '' : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`}
                </span>
                <span class="dim">{lastTime === null ? '' : age(now.value - lastTime)}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );

  // Removing a channel from under a pattern replaces the pattern by the other channels that it matches: of `logs:*`
  // with logs:a, logs:b and logs:c, removing logs:a leaves logs:b and logs:c.
  function toggle(channel: string, isWanted: boolean): void {
    const current = viewState.value.channels;
    const names = channels.value.map((each) => each.channel);
    if (isWanted) {
      const next = current.length === 1 && current[0] === '*' ? [channel] : [...current, channel];
      updateView({ channels: next });
      return;
    }
    const covering = current.filter((pattern) => pattern === channel || matches(pattern, channel));
    const remaining = names.filter(
      (name) => name !== channel && covering.some((pattern) => matches(pattern, name)),
    );
    const kept = current.filter((pattern) => !covering.includes(pattern));
    const next = [
      ...new Set([...kept, ...(covering.includes(channel) && !channel.includes('*') ? [] : remaining)]),
    ];
    updateView({ channels: next.length > 0 ? next : ['*'] });
  }
}

function age(ms: number): string {
  return ms < 1_500 ? 'now' : duration(ms).replace(/\.\d+s/, 's');
}
