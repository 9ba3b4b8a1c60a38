// The prompt box: Ctrl or ⌘ with Enter sends; a conversation goes on until it is ended.
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { freshId, startRun } from './run-client.ts';
import { run, show } from './run-state.ts';

const MAX_MESSAGE = 16_000;
const DRAFT = 'llm-streamer.prompt';
const CONVERSATION = 'llm-streamer.conversation';

export function Prompt({ problem }: { problem: Signal<string> }) {
  const message = useSignal(sessionStorage.getItem(DRAFT) ?? '');
  const conversation = useSignal(sessionStorage.getItem(CONVERSATION) ?? '');
  const isSending = useSignal(false);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => box.current?.focus(), []);

  const send = async () => {
    if (message.value.trim() === '' || isSending.value) return;
    isSending.value = true;
    problem.value = '';
    const id = freshId('page');
    try {
      await startRun({
        message: message.value,
        message_id: id,
        ...(conversation.value !== '' && { conversation_id: conversation.value }),
      });
      show(id);
    } catch (failure) {
      problem.value = (failure as Error).message;
    } finally {
      isSending.value = false;
    }
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
        void send();
      }}
    >
      <textarea
        ref={box}
        aria-label="Prompt"
        rows={3}
        maxLength={MAX_MESSAGE}
        placeholder="Ask all models at once: Explain gravity like I am 5"
        value={message.value}
        onInput={(event) => {
          message.value = event.currentTarget.value;
          sessionStorage.setItem(DRAFT, message.value);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          void send();
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
          {run.value?.state === 'running' ? 'Start another' : 'Start'}{' '}
          <kbd>{IS_MAC ? '⌘' : 'Ctrl'} Enter</kbd>
        </button>
      </div>
    </form>
  );
}

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);
