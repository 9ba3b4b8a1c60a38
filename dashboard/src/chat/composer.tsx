// Where a question is written. It is never locked: a question that is asked while an answer grows waits for its turn, and one that cannot
// be asked says why.
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import {
  agent,
  agents,
  answers,
  chosenAgent,
  clearDraft,
  conversation,
  draft,
  edited,
  queued,
} from '../state/chat-state.ts';
import { typeAhead } from '../state/type-ahead.ts';
import type { Chat } from './chat.ts';
import { keepDraft } from './kept-draft.ts';
import { Dot } from './welcome.tsx';

const MAX_QUESTION = 16_000;

interface ComposerProps {
  chat: Chat;
  /** Under which a tab keeps what was written. */
  keptAs: string;
}

export function Composer({ chat, keptAs }: ComposerProps) {
  const refusal = useSignal('');
  const box = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const end = keepDraft(keptAs);
    draft.value += typeAhead.peek() ?? '';
    box.current?.focus();
    return end;
  }, []);
  const write = (text: string) => {
    draft.value = text.slice(0, MAX_QUESTION);
    refusal.value = '';
  };
  const send = () => {
    const text = draft.value.trim();
    if (text === '') return;
    refusal.value = chat.ask(text, edited.value?.id) ?? '';
    if (refusal.value === '') clearDraft();
  };
  const isBusy = answers.value?.some(({ state }) => state === 'running') ?? false;
  const all = agents.value?.agents ?? [];
  const here = queued.value.filter((question) => question.conversation === conversation.value);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {here.length > 0 && (
        <ul class="queue" aria-label="Asked next">
          {here.map(({ id, text, problem }) => (
            <li key={id}>
              <span class="text">{text}</span>
              {problem && <span class="bad">{problem.message}</span>}
              {problem && (
                <button type="button" onClick={() => chat.again(id)}>
                  try again
                </button>
              )}
              <button
                type="button"
                aria-label={`do not ask: ${text.slice(0, 60)}`}
                onClick={() => chat.drop(id)}
              >
                ✕
              </button>
            </li>
          ))}
        </ul>
      )}
      {edited.value && (
        <p class="line">
          <span class="dim">In place of</span>
          <span class="text">{edited.value.question}</span>
          <span class="spacer-x" />
          <button
            type="button"
            onClick={() => {
              clearDraft();
              box.current?.focus();
            }}
          >
            do not edit
          </button>
        </p>
      )}
      <textarea
        ref={box}
        aria-label="Question"
        rows={2}
        maxLength={MAX_QUESTION}
        placeholder="Ask the agent (Shift+Enter: a new line)"
        value={draft.value}
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            if (edited.value) clearDraft();
            else event.currentTarget.blur();
          }
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          if (!event.repeat) send();
        }}
      />
      {refusal.value !== '' && (
        <p class="bad" role="alert">
          {refusal.value}
        </p>
      )}
      <div class="line">
        {all.length > 1 && (
          <select
            aria-label="Agent"
            value={agent.value}
            onChange={(event) => {
              chosenAgent.value = event.currentTarget.value;
            }}
          >
            {all.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
        <Servers />
        <span class="spacer-x" />
        <button type="submit" disabled={draft.value.trim() === ''}>
          {isBusy ? 'Ask next' : 'Ask'} <kbd>Enter</kbd>
        </button>
      </div>
    </form>
  );
}

/** The servers of tools that are not there now. */
function Servers() {
  const away = agents.value?.servers.filter(({ state }) => state === 'down') ?? [];
  if (away.length === 0) return null;
  const names = away.map(({ name }) => name).join(', ');
  return (
    <span class="servers dim" title={`away: ${names}`}>
      <Dot state="down" /> <bdi>{names}</bdi>
    </span>
  );
}
