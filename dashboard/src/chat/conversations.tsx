// The list of conversations, the newest first: to go on with one, to find it by its words, to name it, to take it away as a file and to
// delete it.
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { clockOf } from '../log/time.ts';
import { conversation, type Found, listed, waiting } from '../state/chat-state.ts';
import type { Chat } from './chat.ts';
import { exportUrl } from './requests.ts';
import { counted } from './words.ts';

const MAX_TITLE = 200;
const SEARCH_PAUSE_MS = 250;

interface ConversationsProps {
  chat: Chat;
  onChosen(): void;
}

export function Conversations({ chat, onChosen }: ConversationsProps) {
  const words = useSignal('');
  const renaming = useSignal('');
  const sure = useSignal('');
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    chat.search('');
    return () => clearTimeout(timer.current);
  }, []);
  const { conversations: all, stopped } = listed.value ?? {};
  return (
    <section class="conversations" aria-label="Conversations">
      <input
        type="search"
        aria-label="Search in conversations"
        placeholder="search in titles and turns"
        value={words.value}
        onInput={({ currentTarget: { value } }) => {
          words.value = value;
          clearTimeout(timer.current);
          timer.current = setTimeout(() => chat.search(value.trim()), SEARCH_PAUSE_MS);
        }}
      />
      {all?.length === 0 && <p class="dim">{words.value === '' ? 'no conversations' : 'nothing found'}</p>}
      <ul>
        {all?.map((each) => {
          const { conversation_id: id, title = id } = each;
          if (id === renaming.value)
            return (
              <li key={id}>
                <Title
                  title={title}
                  onDone={(name) => {
                    renaming.value = '';
                    if (name !== undefined) chat.rename(id, name);
                  }}
                />
              </li>
            );
          return (
            <li
              key={id}
              onKeyDown={(event) => {
                if (event.key !== 'F2') return;
                event.preventDefault();
                renaming.value = id;
              }}
            >
              <Choice
                found={each}
                onChosen={() => {
                  chat.show(id);
                  onChosen();
                }}
              />
              <span class="tools">
                <button
                  type="button"
                  aria-label={`rename ${title}`}
                  title="rename (F2)"
                  onClick={() => {
                    renaming.value = id;
                  }}
                >
                  ✎
                </button>
                <a
                  href={exportUrl(id)}
                  download={`${id}.ndjson`}
                  aria-label={`export ${title}`}
                  title="export as NDJSON"
                >
                  ↓
                </a>
                <button
                  type="button"
                  class={sure.value === id ? 'bad' : ''}
                  aria-label={sure.value === id ? `really delete ${title}` : `delete ${title}`}
                  title="delete it with all its runs"
                  onClick={() => {
                    if (sure.value === id) chat.remove(id);
                    sure.value = sure.value === id ? '' : id;
                  }}
                  onBlur={() => {
                    sure.value = '';
                  }}
                >
                  {sure.value === id ? 'delete?' : '✕'}
                </button>
              </span>
            </li>
          );
        })}
      </ul>
      {stopped && <p class="warn">The search ended before it had looked at all.</p>}
    </section>
  );
}

function Choice({ found, onChosen }: { found: Found['conversations'][number]; onChosen(): void }) {
  const { conversation_id: id, title, last, running, excerpt } = found;
  return (
    <button type="button" class="choice" aria-current={id === conversation.value} onClick={onChosen}>
      <span class="dim">{clockOf(last)}</span> <bdi>{title ?? id}</bdi>
      {waiting.value.has(id) ? (
        <span class="warn"> waits for you</span>
      ) : (
        running.length > 0 && <span class="warn"> {counted(running.length, 'answer')} to come</span>
      )}
      {excerpt !== undefined && <span class="dim excerpt">{excerpt}</span>}
    </button>
  );
}

interface TitleProps {
  title: string;
  /** Undefined: it keeps its name. */
  onDone(name: string | undefined): void;
}

function Title({ title, onDone }: TitleProps) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.select(), []);
  return (
    <input
      ref={input}
      aria-label="Name of the conversation"
      maxLength={MAX_TITLE}
      defaultValue={title}
      onKeyDown={({ key, currentTarget: { value } }) => {
        if (key === 'Enter') onDone(value.trim() || undefined);
        if (key === 'Escape') onDone(undefined);
      }}
      onBlur={() => onDone(undefined)}
    />
  );
}
