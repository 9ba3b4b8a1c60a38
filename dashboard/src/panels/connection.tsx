// Shows the stream's state in words and, when it is not live, the reason and the time of the next attempt.
import { useSignal, useSignalEffect } from '@preact/signals';
import { figures, sharing, streamState } from '../state/store.ts';

/** Browsers open at most six connections to a host over HTTP/1.1, and each stream occupies one. */
const BROWSER_LIMIT = 6;

export function Connection({ nudge }: { nudge(): void }) {
  const now = useSignal(Date.now());
  useSignalEffect(() => {
    if (streamState.value.state !== 'retrying') return undefined;
    now.value = Date.now();
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 250);
    return () => clearInterval(timer);
  });
  const state = streamState.value;
  const { streams, tabs } = sharing.value;
  return (
    <span class="connection">
      {state.state === 'live' && <Live tabs={tabs} />}
      {state.state === 'connecting' && (
        <span role="status" class="warn">
          ◌ CONNECTING
        </span>
      )}
      {state.state === 'refused' && (
        <span role="status" class="warn">
          ○ SIGNED OUT
        </span>
      )}
      {state.state === 'forbidden' && (
        <span role="status" class="bad" title="Ask for other channels, or ask an admin for the right.">
          ○ NOT ALLOWED
          <span class="reason">{state.reason.replace(/^\d+: /, '')}</span>
        </span>
      )}
      {state.state === 'retrying' && (
        <span role="status" class="bad" title={state.reason}>
          ○ RETRYING in {Math.max(0, Math.ceil((state.at - now.value) / 1000))} s
          <button type="button" onClick={nudge}>
            now
          </button>
          <span class="reason">{navigator.onLine ? state.reason : 'this computer is offline'}</span>
        </span>
      )}
      {streams >= BROWSER_LIMIT - 2 && isHttp1() && (
        <span class="warn" role="status" title="Each view needs one for good: close other tabs of this page.">
          {streams} of {BROWSER_LIMIT} connections in use
        </span>
      )}
    </span>
  );
}

function Live({ tabs }: { tabs: number }) {
  const { lag, live, gateway } = figures.value;
  const shared = tabs > 1 ? `, shared by ${tabs} tabs` : '';
  return (
    <span role="status" class="good" title={`${gateway}${shared}`}>
      ● {live ? 'LIVE' : 'REPLAYING'} {live && <span class="dim lag">{formatLag(lag)}</span>}
    </span>
  );
}

function formatLag(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)}ms` : `${Math.round(ms / 1000)}s`;
}

function isHttp1(): boolean {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  return (
    navigation === undefined ||
    navigation.nextHopProtocol === '' ||
    navigation.nextHopProtocol.startsWith('http/1')
  );
}
