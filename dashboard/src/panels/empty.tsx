// The empty state: a line that works when pasted, for the channel chosen. Loaded when there is nothing to show.

import { isChannel, isReserved, matches } from '@llm-streamer/shared/channels.ts';
import { view } from '../state/store.ts';

export function Empty() {
  const { channels } = view.value;
  const line = publishLine(channels) ?? processLine(channels);
  return (
    <div class="empty">
      <p>
        No entries on <b>{channels.join(', ')}</b> yet.{line !== undefined && ' Send one:'}
      </p>
      {line !== undefined && <pre>{line}</pre>}
    </div>
  );
}

/** Publishes to a channel that the view shows and that anyone may write to; undefined where there is none. */
function publishLine(patterns: readonly string[]): string | undefined {
  const wanted = patterns.flatMap((pattern) => [
    pattern === '*' ? 'logs' : pattern.replace(/\*/g, ''),
    pattern.replace(/\*+/g, 'test'),
  ]);
  const fits = (name: string) =>
    isChannel(name) &&
    !isReserved(name) &&
    !name.endsWith(':') &&
    patterns.some((pattern) => matches(pattern, name));
  const channel = wanted.find(fits);
  return channel && `curl -d '${JSON.stringify({ channel, msg: 'hello' })}' ${urlOf('api/publish')}`;
}

// What is reserved is written by runs alone: this starts one that the view shows.
function processLine(patterns: readonly string[]): string | undefined {
  const reserved = patterns.find((pattern) => /^(?:runs|conversations):/.test(pattern));
  const [kind, name = ''] = reserved?.split(/:(.*)/s) ?? [];
  const id = name.replace(/\*+/g, 'hello');
  if (!/^[\w.-]{1,100}$/.test(id)) return undefined;
  const ids = kind === 'runs' ? { message_id: id } : { message_id: `hello-${id}`, conversation_id: id };
  const body = JSON.stringify({ message: 'hello', ...ids });
  return `curl -N -H 'Content-Type: application/json' -d '${body}' ${urlOf('api/process')}`;
}

function urlOf(path: string): string {
  return new URL(path, document.baseURI).href;
}
