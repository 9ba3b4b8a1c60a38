// The conversation that the chat shows, and the list of all, as signals. The URL names the conversation, so that a reload or a link
// shows the same one.

import type { AgentsAnswer, ConversationSummary } from '@llm-streamer/shared/api-types.ts';
import { computed, signal } from '@preact/signals';
import type { Answer } from './answer.ts';
import { profile } from './identity.ts';

/** The query parameter that names the conversation. */
const NAME = 'c';
const KEY = /^(?:[a-z0-9_.-]{1,57}\/)?[A-Za-z0-9_.-]{1,128}$/;
/** Whose the conversations are that were begun where nobody signs in. */
const NOBODY = '-';

/** A question that was not asked yet. */
export interface Queued {
  /** Of the run that it will be. */
  id: string;
  conversation: string;
  text: string;
  /** Absent: the gateway's first one. */
  agent?: string;
  /** The run whose place it takes. */
  replaces?: string;
  /** Why it could not be asked. `isLost`: the gateway did not answer, and it is asked again by itself. */
  problem?: { message: string; isLost: boolean };
}

export interface Found {
  /** Of a search: what was found, and the words around it. */
  conversations: (ConversationSummary & { excerpt?: string })[];
  /** The search ended before it had looked at all. */
  stopped?: true;
}

/**
 * The conversation that is shown: the id of one's own, `owner/id` of another's, which is only read; '' for one in which nothing was asked
 * yet.
 */
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
  const key = new URLSearchParams(location.search).get(NAME) ?? '';
  if (!KEY.test(key)) return '';
  const own = `${ownName()}/`;
  return key.startsWith(own) ? key.slice(own.length) : key;
}

/** Whose conversation it is: absent for one's own, '' for nobody's. */
export function ownerOf(key: string): string | undefined {
  const at = key.indexOf('/');
  const owner = key.slice(0, Math.max(0, at));
  return at < 0 ? undefined : owner === NOBODY ? '' : owner;
}

function ownName(): string {
  return profile.peek()?.owner || NOBODY;
}

/** Names the shown conversation in the URL, as a step of the back button. With its owner, so that the link is right for others, too. */
export function nameInUrl(id: string): void {
  if (id === conversationInUrl()) return;
  const isNamed = id === '' || id.includes('/') || ownName() === NOBODY;
  const key = isNamed ? id : `${ownName()}/${id}`;
  const url = new URL(location.href);
  // The other parameters stay as they are written: a link is easier to read that way.
  const others = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !pair.startsWith(`${NAME}=`));
  const search = [...others, ...(key === '' ? [] : [`${NAME}=${key}`])].join('&');
  history.pushState(null, '', `${url.pathname}${search === '' ? '' : `?${search}`}${url.hash}`);
}

/** A question that the reader changes. */
export interface Edited {
  /** Of its run. */
  id: string;
  conversation: string;
  question: string;
  /** What was written before, and comes back after the edit. */
  draft: string;
}

/** Undefined while the reader writes another question. */
export const edited = signal<Edited | undefined>(undefined);

/** The agent that the reader has chosen in this conversation. */
export const chosenAgent = signal<string | undefined>(undefined);

/** Who answers the next question: who was chosen, or else who has answered here last. Undefined: the gateway's first one. */
export const agent = computed(() => {
  const wanted =
    chosenAgent.value ??
    (answers.value?.findLast((answer) => answer.agent !== '')?.agent ||
      listed.value?.conversations.find((each) => each.conversation_id === conversation.value)?.agent);
  const names = agents.value?.agents.map(({ name }) => name);
  return names === undefined || (wanted !== undefined && names.includes(wanted)) ? wanted : names[0];
});

/** What the reader has written and not asked yet. */
export const draft = signal('');

/** Empties the box for the next question. What was written before an edit is in it again. */
export function clearDraft(): void {
  draft.value = edited.peek()?.draft ?? '';
  edited.value = undefined;
}
