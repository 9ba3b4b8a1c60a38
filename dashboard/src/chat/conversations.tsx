// The list of conversations, the newest first: to go on with one.
import { useEffect } from 'preact/hooks';
import { clockOf } from '../log/time.ts';
import { conversation, listed, waiting } from '../state/chat-state.ts';
import type { Chat } from './chat.ts';
import { counted } from './words.ts';

interface ConversationsProps {
  chat: Chat;
  onChosen(): void;
}

export function Conversations({ chat, onChosen }: ConversationsProps) {
  useEffect(() => chat.search(''), []);
  const all = listed.value;
  return (
    <section class="conversations" aria-label="Conversations">
      {all?.length === 0 && <p class="dim">no conversations</p>}
      <ul>
        {all?.map(({ conversation_id: id, title, last, running }) => (
          <li key={id}>
            <button
              type="button"
              class="choice"
              aria-current={id === conversation.value}
              onClick={() => {
                chat.show(id);
                onChosen();
              }}
            >
              <span class="dim">{clockOf(last)}</span> <bdi>{title ?? id}</bdi>
              {waiting.value.has(id) ? (
                <span class="warn"> waits for you</span>
              ) : (
                running.length > 0 && <span class="warn"> {counted(running.length, 'answer')} to come</span>
              )}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
