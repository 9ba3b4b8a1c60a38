// The routes of the gateway that the chat uses. A failure rejects with a `RequestError`, whose message is a sentence for the reader.

import type {
  AgentsAnswer,
  Conversation,
  ConversationsAnswer,
  Problem,
  RunSummary,
  RunsAnswer,
} from '@llm-streamer/shared/api-types.ts';
import { UNREACHABLE } from '../runs/run-client.ts';
import type { Found } from '../state/chat-state.ts';

/** As many runs as the gateway lists at most: the conversation's own are among them. */
const RUNS = 200;
const CONVERSATIONS = 100;

/** `code` is the gateway's, or '' where it could not be reached. */
export class RequestError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Question {
  message_id: string;
  conversation_id: string;
  userMessage: string;
  /** Absent: the gateway's first one. */
  agent?: string;
  /** The run whose place it takes. */
  replaces?: string;
}

/** Resolves when the run has begun. The same question sent again is the same run, so a repetition is harmless. */
export async function ask(question: Question): Promise<void> {
  const response = await request('agents/chat-stream', json('POST', question));
  // The answer is read from the run's channel, as after a reload. To leave this stream does not stop the run.
  await response.body?.cancel();
}

export async function decide(
  run: Place,
  approval: string,
  decision: { approved: boolean; reason?: string },
): Promise<void> {
  await request(
    `api/runs/${run.id}/approvals/${encodeURIComponent(approval)}?owner=${run.owner || '-'}`,
    json('POST', decision),
  );
}

/** What somebody has, by its id. */
export interface Place {
  owner: string;
  id: string;
}

export async function runsOf(owner: string): Promise<RunSummary[]> {
  return (await read<RunsAnswer>(`api/runs?limit=${RUNS}&owner=${owner || '-'}`)).runs;
}

/** @param words that titles or turns must hold; '' lists all */
export function conversations(words: string): Promise<Found> {
  const query = new URLSearchParams({ limit: String(CONVERSATIONS), ...(words !== '' && { q: words }) });
  return read<ConversationsAnswer & Found>(`api/conversations?${query}`);
}

/**
 * Undefined if nothing was answered in it, or if it is not there.
 * @param isOwn of one's own it is looked up first, since a browser writes of each answer 404 as of an error
 */
export async function turnsOf({ owner, id }: Place, isOwn: boolean): Promise<Conversation | undefined> {
  try {
    if (isOwn) {
      const { conversations: all } = await conversations('');
      if (all.length < CONVERSATIONS && !all.some((each) => each.conversation_id === id)) return undefined;
    }
    return await read<Conversation>(`${path(id)}?owner=${owner || '-'}`);
  } catch (error) {
    if (error instanceof RequestError && error.code === 'conversation_not_found') return undefined;
    throw error;
  }
}

export async function rename(conversation: string, title: string): Promise<void> {
  await request(path(conversation), json('PATCH', { title }));
}

export async function remove(conversation: string): Promise<void> {
  await request(path(conversation), { method: 'DELETE' });
}

export function exportUrl(conversation: string): string {
  return new URL(`${path(conversation)}/export`, document.baseURI).href;
}

export function agents(): Promise<AgentsAnswer> {
  return read<AgentsAnswer>('api/agents');
}

function path(conversation: string): string {
  return `api/conversations/${encodeURIComponent(conversation)}`;
}

function json(method: string, body: object): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

async function read<T>(from: string): Promise<T> {
  return (await (await request(from)).json()) as T;
}

async function request(to: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(to, document.baseURI), { cache: 'no-store', ...init });
  } catch {
    throw new RequestError('', UNREACHABLE);
  }
  if (response.ok) return response;
  const { code, detail } = (await response.json().catch(() => ({}))) as Partial<Problem>;
  throw new RequestError(
    String(code ?? response.status),
    String(detail ?? `the gateway answered ${response.status}`),
  );
}
