// The empty state, loaded when there is nothing to show: how many entries the filter hides and a button that clears it,
// or commands that send a first entry to the chosen channel.

import { isChannel, isReserved, matches } from '@llm-streamer/shared/channels.ts';
import { LINE } from '../log/scroll.ts';
import { keyOption } from '../state/identity.ts';
import { figures, isFilteredByGateway, updateView, viewState } from '../state/store.ts';
import '../../styles/empty.css';

export function Empty() {
  const { channels } = viewState.value;
  const { hidden } = figures.value;
  return hidden > 0 || isFilteredByGateway.value ? (
    <Filtered hidden={hidden} />
  ) : (
    <Unwritten channels={channels} />
  );
}

/** Places the text below the gaps and marks that are shown. */
function below(): { top: string } {
  return { top: `max(20%, ${figures.value.lines * LINE + 8}px)` };
}

function Filtered({ hidden }: { hidden: number }) {
  const { channels } = viewState.value;
  return (
    <div class="empty" style={below()}>
      <p>
        {hidden > 0 ? (
          <>
            Nothing passes the filter: <b>{hidden.toLocaleString('en')} hidden</b>.
          </>
        ) : (
          <>
            Nothing from <b>{channels.join(', ')}</b> passes the filter. The gateway applies it, so how many
            it hides is not known here.
          </>
        )}
      </p>
      <button type="button" onClick={() => updateView({ q: '', level: '', range: undefined })}>
        clear the filter
      </button>
    </div>
  );
}

function Unwritten({ channels }: { channels: string[] }) {
  const channel = publishable(channels);
  const line = channel === undefined ? processLine(channels) : curlLine(channel);
  return (
    <div class="empty" style={below()}>
      <p>
        No entries on <b>{channels.join(', ')}</b> to show yet.{line !== undefined && ' Send one:'}
      </p>
      {line !== undefined && <pre>{line}</pre>}
      {channel !== undefined && (
        <>
          <p>Or, where the log is in Redis:</p>
          <pre>redis-cli PUBLISH {channel} 'hello'</pre>
        </>
      )}
    </div>
  );
}

/** A channel of the view that anyone may write to; undefined where there is none. */
function publishable(patterns: readonly string[]): string | undefined {
  const wanted = patterns.flatMap((pattern) => [
    pattern === '*' ? 'logs' : pattern.replace(/\*/g, ''),
    pattern.replace(/\*+/g, 'test'),
  ]);
  const fits = (name: string) =>
    isChannel(name) &&
    !isReserved(name) &&
    !name.endsWith(':') &&
    patterns.some((pattern) => matches(pattern, name));
  return wanted.find(fits);
}

function curlLine(channel: string): string {
  return `curl${keyOption()} -d '${JSON.stringify({ channel, msg: 'hello' })}' ${urlOf('api/publish')}`;
}

// Only runs write to reserved channels, so this command starts a run that the view shows.
function processLine(patterns: readonly string[]): string | undefined {
  const reserved = patterns.find((pattern) => /^(?:runs|conversations):/.test(pattern));
  const [kind, name = ''] = reserved?.split(/:(.*)/s) ?? [];
  const id = name.replace(/\*+/g, 'hello');
  if (!/^[\w.-]{1,100}$/.test(id)) return undefined;
  const ids = kind === 'runs' ? { message_id: id } : { message_id: `hello-${id}`, conversation_id: id };
  const body = JSON.stringify({ message: 'hello', ...ids });
  return `curl -N${keyOption()} -H 'Content-Type: application/json' -d '${body}' ${urlOf('api/process')}`;
}

function urlOf(path: string): string {
  return new URL(path, document.baseURI).href;
}
