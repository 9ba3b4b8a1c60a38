// The empty state: lines that work when pasted, for the channel chosen. Loaded when there is nothing to show.

import { isChannel, isReserved, matches } from '@llm-streamer/shared/channels.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { view } from '../state/store.ts';

export function Empty() {
  const hasRedis = useSignal(false);
  useSignalEffect(() => {
    void fetch(new URL('sse/health', document.baseURI))
      .then((response) => response.json())
      .then((health: unknown) => {
        hasRedis.value = (health as { redis?: unknown }).redis === true;
      })
      .catch(() => {
        hasRedis.value = false;
      });
  });
  const channel = exampleOf(view.value.channels);
  const url = new URL('api/publish', document.baseURI).href;
  const entry = JSON.stringify({ channel, msg: 'hello' });
  return (
    <div class="empty">
      <p>
        No entries on <b>{view.value.channels.join(', ')}</b> yet. Send one:
      </p>
      <pre>
        curl -d '{entry}' {url}
      </pre>
      {hasRedis.value && <pre>redis-cli PUBLISH {channel} hello</pre>}
    </div>
  );
}

/** A channel that the view shows and that anyone may write to. */
function exampleOf(patterns: readonly string[]): string {
  const wanted = patterns.flatMap((pattern) => [
    pattern === '*' ? 'logs' : pattern.replace(/\*/g, ''),
    pattern.replace(/\*+/g, 'test'),
  ]);
  const fits = (name: string) =>
    isChannel(name) &&
    !isReserved(name) &&
    !name.endsWith(':') &&
    patterns.some((pattern) => matches(pattern, name));
  return wanted.find(fits) ?? 'logs';
}
