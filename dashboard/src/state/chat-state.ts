// The conversation that the chat shows, and the list of all, as signals. The URL names the conversation, so that a reload or a link
// shows the same one.

import type { AgentsAnswer, ConversationSummary } from '@llm-streamer/shared/api-types.ts';
import { signal } from '@preact/signals';
import type { Answer } from './answer.ts';

/** The query parameter that names the conversation. */
const NAME = 'c';
const ID = /^[A-Za-z0-9_.-]{1,128}$/;

/** A question that was not asked yet. */
export interface Queued {
  /** Of the run that it will be. */
  id: string;
  conversation: string;
  text: string;
  /** Absent: the gateway's first one. */
  agent?: string;
  /** Why it could not be asked. `isLost`: the gateway did not answer, and it is asked again by itself. */
  problem?: { message: string; isLost: boolean };
}

export interface Found {
  /** Of a search: what was found, and the words around it. */
  conversations: (ConversationSummary & { excerpt?: string })[];
  /** The search ended before it had looked at all. */
  stopped?: true;
}

/** The conversation that is shown; '' for one in which nothing was asked yet. */
export const conversation = signal(conversationInUrl());
/** Its answers, the oldest first; undefined until they are known. */
export const answers = signal<readonly Answer[] | undefined>(undefined);
/** Earlier turns are no longer kept, or are too many. */
export const isCutShort = signal(false);
/** Questions that were not asked yet, of all conversations. */
export const queued = signal<readonly Queued[]>([]);
/** The newest conversations, or those that were searched for; undefined until they are known. */
export const listed = signal<Found | undefined>(undefined);
/** The conversations in which a call waits for consent. */
export const waiting = signal<ReadonlySet<string>>(new Set());
export const agents = signal<AgentsAnswer | undefined>(undefined);
/** Whether what happens is heard; undefined before the first attempt has come to its end. */
export const isHeard = signal<boolean | undefined>(undefined);
/** What the reader wanted and could not be done. */
export const problem = signal('');

export function conversationInUrl(): string {
  const id = new URLSearchParams(location.search).get(NAME) ?? '';
  return ID.test(id) ? id : '';
}

/** Names the shown conversation in the URL, as a step of the back button. */
export function nameInUrl(id: string): void {
  if (id === conversationInUrl()) return;
  const url = new URL(location.href);
  // The other parameters stay as they are written: a link is easier to read that way.
  const others = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !pair.startsWith(`${NAME}=`));
  const search = [...others, ...(id === '' ? [] : [`${NAME}=${id}`])].join('&');
  history.pushState(null, '', `${url.pathname}${search === '' ? '' : `?${search}`}${url.hash}`);
}

/** What the reader has written and not asked yet. */
export const draft = signal('');
