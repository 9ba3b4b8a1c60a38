// The prompt: Ctrl or ⌘ with Enter starts a run, or stops the run that is running. With "conversation" checked, each
// prompt continues the same conversation.
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { profile } from '../state/identity.ts';
import { mayStop, run, shownChannel, takePrompt } from '../state/run-state.ts';
import { cancelRun, freshId, startRun } from './run-client.ts';

const MAX_MESSAGE = 16_000;
// A tab that is opened again after somebody else has signed in must not show him the draft.
const owner = profile.peek()?.owner ?? '';
const DRAFT = keptAs('llm-streamer.prompt');
const CONVERSATION = keptAs('llm-streamer.conversation');

function keptAs(name: string): string {
  return owner === '' ? name : `${name} ${owner}`;
}

interface PromptProps {
  problem: Signal<string>;
  show(channel: string): void;
}

export function Prompt({ problem, show }: PromptProps) {
  const message = useSignal(sessionStorage.getItem(DRAFT) ?? '');
  /** The channel of the run that was started here last: it is running even before its first entry arrives. */
  const started = useRef('');
  const conversation = useSignal(sessionStorage.getItem(CONVERSATION) ?? '');
  const isSending = useSignal(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const write = (text: string) => {
    message.value = text.slice(0, MAX_MESSAGE);
    sessionStorage.setItem(DRAFT, message.value);
  };
  useEffect(() => {
    const prompt = takePrompt();
    if (prompt !== undefined) write(prompt);
    box.current?.focus();
  }, []);

  const attempt = async () => {
    if (message.value.trim() === '' || isSending.value) return;
    isSending.value = true;
    problem.value = '';
    try {
      const channel = await startRun({
        message: message.value,
        message_id: freshId('page'),
        ...(conversation.value !== '' && { conversation_id: conversation.value }),
      });
      started.current = channel;
      show(channel);
    } catch (failure) {
      problem.value = (failure as Error).message;
    } finally {
      isSending.value = false;
    }
  };
  const send = () => {
    attempt().catch(reportError);
  };

  /** The channel of the run that the keys stop; undefined where they start one. */
  const running = () => {
    const channel = shownChannel.value;
    const shown = run.value;
    if (channel === '' || !mayStop(channel) || (shown && shown.state !== 'running')) return undefined;
    return (shown && shown.lanes.length > 0) || channel === started.current ? channel : undefined;
  };

  const startOrStop = () => {
    const channel = running();
    if (channel === undefined) send();
    else if (!isSending.value)
      cancelRun(channel).catch((failure: Error) => {
        problem.value = failure.message;
        // A run that the gateway does not know must not keep the next one from starting.
        started.current = '';
      });
  };

  const converse = (id: string) => {
    conversation.value = id;
    sessionStorage.setItem(CONVERSATION, id);
  };

  return (
    <form
      class="prompt"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={box}
        aria-label="Prompt"
        rows={3}
        maxLength={MAX_MESSAGE}
        placeholder="Ask all models at once: Explain gravity like I am 5"
        value={message.value}
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          // A key that is held down repeats, which would start and stop runs alternately.
          if (!event.repeat) startOrStop();
        }}
      />
      <div class="send">
        <label title="the models are given the turns before">
          <input
            type="checkbox"
            checked={conversation.value !== ''}
            onChange={(event) => converse(event.currentTarget.checked ? freshId('talk') : '')}
          />{' '}
          conversation
        </label>
        <span class="spacer-x" />
        <button type="submit" disabled={isSending.value || message.value.trim() === ''}>
          {run.value?.state === 'running' ? 'Start another' : <>Start {RUN_KEY}</>}
        </button>
      </div>
    </form>
  );
}

/** The key that starts a run and stops it. */
export const RUN_KEY = <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘' : 'Ctrl'} Enter</kbd>;
