// A conversation consists of the turns on its channel. This file writes and reads a turn, and selects the turns that models get. Which of
// the turns are still part of it is in branch.ts.

import type { Entry, EntryFields } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { conversationChannel, type OwnedKey, ownedKey, partsOf } from '@llm-streamer/shared/ownership.ts';
import type { EndState } from '@llm-streamer/shared/run.ts';
import type { RunIdentity, RunPlan } from './run-plan.ts';

/** UTF-16 units. */
const MAX_TITLE = 80;

export type Unanswered = Exclude<EndState, 'finished'>;

export interface Turn {
  role: 'user' | 'assistant';
  text: string;
  /** The id of the run that the turn belongs to. */
  run: string;
  /** Epoch ms. */
  time: number;
  /** Of a question that got no answer: how its run has ended. Models are not given it. */
  state?: Unanswered;
  /** What strangers wrote may have led to it, or stand in it. */
  isTainted?: true;
}

export function turnEntry(conversation: OwnedKey, turn: Turn, source: string): EntryFields {
  return {
    time: turn.time,
    channel: conversationChannel(conversation),
    source,
    level: 'info',
    msg: turn.text,
    event: EVENTS.conversationTurn,
    run: turn.run,
    attrs: {
      role: turn.role,
      [GEN_AI.conversationId]: partsOf(conversation).id,
      ...(turn.state !== undefined && { state: turn.state }),
      ...(turn.isTainted && { tainted: true }),
    },
  };
}

/**
 * The turns that a run adds to its conversation, if it has one: question and answer. What a run says whose earlier turns are tainted is
 * tainted, too.
 */
export function turnsOf(
  plan: RunPlan,
  answer: string,
  source: string,
  isTainted = plan.isTainted,
): EntryFields[] {
  const { owner, id, conversationId, message, asked } = plan;
  if (conversationId === undefined) return [];
  const time = Date.now();
  const conversation = ownedKey(owner, conversationId);
  return [
    turnEntry(conversation, { role: 'user', text: message, run: id, time: asked }, source),
    turnEntry(
      conversation,
      { role: 'assistant', text: answer, run: id, time, ...(isTainted && { isTainted }) },
      source,
    ),
  ];
}

/** The turn of a run that ended without an answer: its question. */
export function unansweredOf(
  { owner, id, conversationId }: RunIdentity,
  { text, time }: Pick<Turn, 'text' | 'time'>,
  state: Unanswered,
  source: string,
): EntryFields[] {
  if (conversationId === undefined) return [];
  return [turnEntry(ownedKey(owner, conversationId), { role: 'user', text, run: id, time, state }, source)];
}

/** The turn that an entry contains; `undefined` if it contains none. */
export function turnOf({ event, msg, run, time, attrs }: Entry): Turn | undefined {
  const role = attrs?.role;
  if (event !== EVENTS.conversationTurn || (role !== 'user' && role !== 'assistant')) return undefined;
  const { state, tainted } = attrs ?? {};
  return {
    role,
    text: msg,
    run: run ?? '',
    time,
    ...((state === 'failed' || state === 'cancelled' || state === 'lost') && { state }),
    ...(tainted === true && { isTainted: true }),
  };
}

/** What the models of a run are given of the turns before it. */
export type Context = Pick<RunPlan, 'history' | 'isTainted'>;

/**
 * The newest turns that fit into `maxTokens`, the oldest first. They begin with a question: an answer without its question would
 * mislead the model.
 */
export function contextOf(all: readonly Turn[], maxTokens: number): Context {
  const turns = all.filter(({ state }) => state === undefined);
  let left = maxTokens;
  let from = turns.length;
  for (let i = turns.length - 1; i >= 0; i--) {
    const turn = turns[i] as Turn;
    left -= estimateTokens(turn.text);
    if (left < 0) break;
    if (turn.role === 'user') from = i;
  }
  const kept = turns.slice(from);
  return {
    history: kept.map(({ role, text }) => ({ role, content: text })),
    ...(kept.some(({ isTainted }) => isTainted) && { isTainted: true }),
  };
}

/** What a conversation that begins with this question is called, unless somebody names it. */
export function titleOf(question: string): string {
  const words = question.slice(0, 1_000).replace(/\s+/g, ' ').trim();
  if (words.length <= MAX_TITLE) return words.toWellFormed();
  return `${words.slice(0, MAX_TITLE - 1).toWellFormed()}…`;
}

/** Estimates the tokens of a text: tokenizers make about one token of four Latin letters, and one of each CJK character. */
export function estimateTokens(text: string): number {
  const wide = text.match(/[\u2E80-\uFFFF]/g)?.length ?? 0;
  return Math.ceil((text.length - wide) / 4) + wide;
}
