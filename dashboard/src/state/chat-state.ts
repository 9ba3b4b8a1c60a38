// The conversation that the chat shows, and the list of all, as signals. The URL names the conversation, so that a reload or a link
// shows the same one.

import type { AgentsAnswer } from '@llm-streamer/shared/api-types.ts';
import { signal } from '@preact/signals';
import type { Answer } from '../chat/answer.ts';
import type { Queued } from '../chat/queue.ts';
import type { Found } from '../chat/requests.ts';

/** The query parameter that names the conversation. */
const NAME = 'c';
const ID = /^[A-Za-z0-9_.-]{1,128}$/;

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
/** Whether what happens is heard; undefined before the first connection. */
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
