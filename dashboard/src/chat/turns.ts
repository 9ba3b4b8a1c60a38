// What is known of a conversation before its runs are read: its turns, and the runs that the gateway lists.

import type { Conversation, RunSummary } from '@llm-streamer/shared/api-types.ts';
import { ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import { type Answer, newAnswer } from '../state/answer.ts';
import type { Place } from './requests.ts';

/** One answer for each run: of the older ones only the turns are known. */
export function answersOf(
  id: string,
  owner: string,
  conversation: Conversation | undefined,
  runs: readonly RunSummary[],
): Answer[] {
  const found = new Map<string, Answer>();
  const about = (run: string) =>
    found.get(run) ?? newAnswer(run, runChannel(ownedKey(owner, run)), { state: 'finished' });
  for (const { role, message, message_id: run, time, state } of conversation?.turns ?? []) {
    const answer = { ...about(run), started: time, ...(state && { state }) };
    if (role === 'user') found.set(run, { ...answer, question: message });
    else found.set(run, { ...answer, steps: [said(message)], ended: time });
  }
  for (const { message_id: run, conversation_id, state, started, ended = 0, agent = '', replaces } of runs) {
    if (conversation_id !== id) continue;
    found.set(run, {
      ...about(run),
      state,
      started,
      ended,
      agent,
      ...(replaces !== undefined && { replaces }),
    });
  }
  return [...found.values()];
}

/** Whether an agent was asked in the conversation in a run that is not among `known`, by channel. */
export function hasUnknown(
  { owner, id }: Place,
  runs: readonly RunSummary[],
  known: ReadonlyMap<string, unknown>,
): boolean {
  return runs.some(
    ({ message_id: run, conversation_id, agent }) =>
      conversation_id === id && agent !== undefined && !known.has(runChannel(ownedKey(owner, run))),
  );
}

/** Those that are the conversation now, the oldest first: an answer to an edited question takes the place of the first, and of what followed on it. */
export function branchOf(answers: Iterable<Answer>): Answer[] {
  const order = ({ started }: Answer) => started || Number.MAX_SAFE_INTEGER;
  const places = new Map<string, number>();
  const branch: Answer[] = [];
  for (const answer of [...answers].sort((a, b) => order(a) - order(b))) {
    const place = answer.replaces === undefined ? undefined : places.get(answer.replaces);
    if (place !== undefined) branch.splice(place);
    places.set(answer.id, branch.length);
    branch.push(answer);
  }
  return branch;
}

/** What says in whose place an answer is, if in any. */
export function replacing({ replaces }: { replaces?: string }): { replaces?: string } {
  return replaces === undefined ? {} : { replaces };
}

function said(text: string): Answer['steps'][number] {
  return { number: 1, text, reasoning: '', started: 0, ended: 0, inputTokens: 0, outputTokens: 0 };
}
