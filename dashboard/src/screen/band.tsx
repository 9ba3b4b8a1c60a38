// What has to be seen from across the room: that alerts fire, or that nothing on the screen is live.
import { useSignal, useSignalEffect } from '@preact/signals';
import { clockOf } from '../log/time.ts';
import { alerts, areAlertsStale } from '../state/alerts.ts';
import { streamState } from '../state/store.ts';

/** A shorter pause, as while a gateway is replaced, is no news. */
const PATIENCE_MS = 5_000;

export function Band() {
  const firing = alerts.value;
  const isError = firing.some((alert) => alert.isError);
  const silent = useSilence();
  return (
    <div role="alert">
      {firing[0] && (
        <p class={isError ? 'alarm' : 'alarm mild'}>
          <b>▲ {firing.length}</b> <bdi>{firing[0].text}</bdi>
        </p>
      )}
      {silent !== undefined && (
        <p class="alarm mild">
          not live since {clockOf(silent)}
          <span class="why">{reason()}</span>
        </p>
      )}
      {silent === undefined && areAlertsStale.value && (
        <p class="alarm mild">nobody says whether alerts fire: the gateway does not answer</p>
      )}
    </div>
  );
}

function reason(): string {
  const stream = streamState.value;
  if (stream.state === 'live') return '';
  return navigator.onLine ? stream.reason : 'this computer is offline';
}

/** Since when the stream is not live; undefined while it is, or has been a moment ago. */
function useSilence(): number | undefined {
  const since = useSignal<number | undefined>(undefined);
  const shown = useSignal<number | undefined>(undefined);
  useSignalEffect(() => {
    if (streamState.value.state === 'live') since.value = undefined;
    else since.value ??= Date.now();
  });
  useSignalEffect(() => {
    const from = since.value;
    shown.value = undefined;
    if (from === undefined) return undefined;
    const timer = setTimeout(() => {
      shown.value = from;
    }, PATIENCE_MS);
    return () => clearTimeout(timer);
  });
  return shown.value;
}
