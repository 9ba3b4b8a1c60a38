// The chat: the conversations, the turns of the one that is shown, and where the next question is written.
import { effect, untracked, useSignal, useSignalEffect } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { App } from '../app.ts';
import {
  answers,
  chosenAgent,
  conversation,
  draft,
  edited,
  isCutShort,
  isHeard,
  listed,
  ownerOf,
  problem,
  waiting,
} from '../state/chat-state.ts';
import { profile } from '../state/identity.ts';
import { clockSkew } from '../state/run-state.ts';
import { streamState, viewState } from '../state/store.ts';
import '../../styles/chat.css';
import type { Answer } from '../state/answer.ts';
import { Chat } from './chat.ts';
import { Composer } from './composer.tsx';
import { Conversations } from './conversations.tsx';
import { inFront, isInFront } from './in-front.ts';
import { Turn } from './turn.tsx';
import { Welcome } from './welcome.tsx';
import { stateWords } from './words.ts';

type Place = Pick<App, 'goTo'>;

const TICK_MS = 500;
/** A reader within this many px of the end follows the answer as it grows. */
const NEAR_END = 60;

export function mountPanel(app: Place, host: HTMLElement): void {
  const owner = profile.peek()?.owner ?? '';
  const chat = new Chat(owner);
  render(<Panel app={app} chat={chat} owner={owner} host={host} />, host);
  let wasOpen = true;
  effect(() => {
    // Who has signed in again goes on where he was; another person gets a page of his own.
    const isOpen = viewState.value.panel === 'chat' && profile.value !== undefined;
    untracked(() => chat.setOpen(isOpen));
    if (isOpen && !wasOpen) {
      host.hidden = false; // else it could not take the focus yet
      host.querySelector('textarea')?.focus();
    }
    wasOpen = isOpen;
  });
  addEventListener('popstate', chat.followUrl);
  addEventListener('online', chat.nudge);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && chat.nudge());
}

interface PanelProps {
  app: Place;
  chat: Chat;
  owner: string;
  host: HTMLElement;
}

function Panel({ app, chat, owner, host }: PanelProps) {
  const isListOpen = useSignal(false);
  const opener = useRef<HTMLButtonElement>(null);
  const { title } =
    listed.value?.conversations.find(({ conversation_id }) => conversation_id === conversation.value) ?? {};
  const foreign = ownerOf(conversation.value);
  const asking = waiting.value.size - (waiting.value.has(conversation.value) ? 1 : 0);
  return (
    <div class="chat">
      <header>
        <button
          ref={opener}
          type="button"
          aria-expanded={isListOpen.value}
          onClick={() => {
            isListOpen.value = !isListOpen.value;
          }}
        >
          conversations{asking > 0 && <span class="warn"> {asking} waiting</span>}
        </button>
        <h2>
          <bdi>
            {foreign !== undefined && <span class="dim">{foreign || 'nobody'}: </span>}
            {title ?? (conversation.value === '' ? 'new conversation' : answers.value?.[0]?.question)}
          </bdi>
        </h2>
        {isHeard.value === false && <span class="warn">reconnecting…</span>}
        <button
          type="button"
          onClick={() => {
            isListOpen.value = false;
            chat.show('');
            host.querySelector('textarea')?.focus();
          }}
        >
          new
        </button>
      </header>
      {isListOpen.value && (
        <Conversations
          chat={chat}
          onClose={() => {
            isListOpen.value = false;
            opener.current?.focus();
          }}
          onChosen={() => {
            isListOpen.value = false;
            host.querySelector('textarea')?.focus();
          }}
        />
      )}
      <Turns app={app} chat={chat} host={host} />
      {problem.value !== '' && (
        <p class="bad problem-line" role="alert">
          {problem.value}{' '}
          <button
            type="button"
            onClick={() => {
              problem.value = '';
            }}
          >
            close
          </button>
        </p>
      )}
      {foreign === undefined ? (
        <Composer chat={chat} keptAs={`llm-streamer.chat-draft ${owner}`} />
      ) : (
        <p class="composer dim">This conversation is not yours: you may read it.</p>
      )}
      <Doing />
    </div>
  );
}

function Turns({ app, chat, host }: Omit<PanelProps, 'owner'>) {
  const box = useRef<HTMLElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const now = useNow();
  const id = conversation.value;
  useLayoutEffect(() => {
    follows.current = true;
    const toEnd = () => {
      if (box.current && follows.current) box.current.scrollTop = box.current.scrollHeight;
    };
    // Whatever makes the turns longer or their place smaller: words, a call that is opened, a window that is turned.
    const sizes = new ResizeObserver(toEnd);
    if (box.current) sizes.observe(box.current);
    if (content.current) sizes.observe(content.current);
    return () => sizes.disconnect();
  }, [id]);
  useSignalEffect(() => {
    if (streamState.value.state === 'live') problem.value = '';
  });
  const openInLog = (answer: Answer, call: string) => {
    const at = answer.entries.get(call) ?? '';
    const all = { q: '', hl: '', level: '', range: undefined } as const;
    app.goTo({ ...all, channels: [answer.channel], at, follow: false, ...inFront() });
  };
  const edit = (answer: Answer) => {
    const { id: replaced, question = '' } = answer;
    const before = edited.peek()?.draft ?? draft.peek();
    edited.value = { id: replaced, conversation: id, question, draft: before };
    draft.value = question;
    host.querySelector('textarea')?.focus();
  };
  const all = answers.value;
  return (
    <section
      ref={box}
      class="turns"
      aria-label="Conversation"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        follows.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
      }}
    >
      <div ref={content}>
        {isCutShort.value && <p class="dim">Earlier turns are not shown.</p>}
        {all === undefined && (
          <p class="dim">{isHeard.value === false ? 'the gateway cannot be reached' : 'reading…'}</p>
        )}
        {all?.map((answer) => (
          <Turn
            key={answer.channel}
            answer={answer}
            now={answer.state === 'running' ? now : 0}
            isInLog={isInFront(answer.channel)}
            onSeen={chat.read}
            onStop={chat.stop}
            onEdit={ownerOf(id) === undefined ? edit : undefined}
            onDecide={chat.decide}
            onOpenInLog={openInLog}
          />
        ))}
        {all?.length === 0 && (
          <Welcome
            onAsk={(question, agent) => {
              chosenAgent.value = agent;
              chat.ask(question);
              host.querySelector('textarea')?.focus();
            }}
          />
        )}
      </div>
    </section>
  );
}

/** For screen readers: what the newest answer does, not each of its words. */
function Doing() {
  const newest = answers.value?.at(-1);
  return (
    <p class="visually-hidden" role="status">
      {newest ? stateWords(newest) : ''}
    </p>
  );
}

/** The gateway's time, which advances while an answer grows. */
function useNow(): number {
  const tick = useSignal(Date.now());
  const isRunning = answers.value?.some(({ state }) => state === 'running') ?? false;
  useEffect(() => {
    if (!isRunning) return;
    tick.value = Date.now();
    const timer = setInterval(() => {
      tick.value = Date.now();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [isRunning]);
  return tick.value + clockSkew.value;
}
