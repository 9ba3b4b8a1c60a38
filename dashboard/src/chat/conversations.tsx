// The list of conversations, the newest first: to go on with one, to find it by its words, to name it, to take it away as a file and to
// delete it.
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { clockOf } from '../log/time.ts';
import { agents, conversation, type Found, listed, waiting } from '../state/chat-state.ts';
import type { Chat } from './chat.ts';
import { exportUrl } from './requests.ts';
import { counted } from './words.ts';

const MAX_TITLE = 200;
const SEARCH_PAUSE_MS = 250;

interface ConversationsProps {
  chat: Chat;
  onChosen(): void;
  onClose(): void;
}

export function Conversations({ chat, onChosen, onClose }: ConversationsProps) {
  const words = useSignal('');
  const renaming = useSignal('');
  const sure = useSignal('');
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const box = useRef<HTMLElement>(null);
  /** The conversation whose row takes the focus when it is there again. */
  const returnTo = useRef('');
  useLayoutEffect(() => box.current?.querySelector('input')?.focus(), []);
  useLayoutEffect(() => {
    if (returnTo.current === '' || renaming.value !== '') return;
    const of = listed.value?.conversations.findIndex((each) => each.conversation_id === returnTo.current);
    choices(box.current)[of ?? 0]?.focus();
    returnTo.current = '';
  });
  useEffect(() => {
    chat.search('');
    return () => clearTimeout(timer.current);
  }, []);
  const { conversations: all, stopped } = listed.value ?? {};
  return (
    <section
      ref={box}
      class="conversations"
      aria-label="Conversations"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
        else if (event.key === 'ArrowDown' || event.key === 'ArrowUp')
          step(box.current, event.key === 'ArrowDown' ? 1 : -1);
        else return;
        event.preventDefault();
      }}
    >
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
                  onDone={(name, isByKey) => {
                    renaming.value = '';
                    // An input that is removed loses the focus once more.
                    if (isByKey) returnTo.current = id;
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
  const { conversation_id: id, title, agent, last, running, excerpt } = found;
  const isOneOfMany = (agents.value?.agents.length ?? 0) > 1;
  return (
    <button type="button" class="choice" aria-current={id === conversation.value} onClick={onChosen}>
      <span class="dim" title={new Date(last).toLocaleString()}>
        {whenOf(last)}
      </span>
      {waiting.value.has(id) ? (
        <span class="warn">waits for you</span>
      ) : (
        running.length > 0 && <span class="warn">{counted(running.length, 'answer')} to come</span>
      )}
      <bdi>{title ?? id}</bdi>
      {isOneOfMany && agent !== undefined && (
        <span class="dim agent">
          <bdi>{agent}</bdi>
        </span>
      )}
      {excerpt !== undefined && <span class="dim excerpt">{excerpt}</span>}
    </button>
  );
}

/** The time of day, or the day if it is another one. */
function whenOf(time: number): string {
  const at = new Date(time);
  if (at.toDateString() === new Date().toDateString()) return clockOf(time).slice(0, 5);
  const [, month, day] = at.toDateString().split(' ');
  return `${day} ${month}`;
}

function choices(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('.choice') ?? [])];
}

/** From the search down to the rows, and back. */
function step(list: HTMLElement | null, by: 1 | -1): void {
  const places = [list?.querySelector('input'), ...choices(list)];
  const row = document.activeElement?.closest('li')?.querySelector<HTMLElement>('.choice');
  const at = row ? places.indexOf(row) : 0;
  places[Math.min(places.length - 1, Math.max(0, at + by))]?.focus();
}

interface TitleProps {
  title: string;
  /** Undefined: it keeps its name. */
  onDone(name: string | undefined, isByKey: boolean): void;
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
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key !== 'Enter' && event.key !== 'Escape') return;
        // Else the row that takes the focus would be pressed.
        event.preventDefault();
        onDone((event.key === 'Enter' && event.currentTarget.value.trim()) || undefined, true);
      }}
      onBlur={() => onDone(undefined, false)}
    />
  );
}
