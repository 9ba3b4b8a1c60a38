// A conversation is the turns on its channel. Here: how a turn is written, and what of the past the models are given.

import { conversationChannel } from '@llm-streamer/shared/channels.ts';
import type { Entry, EntryFields } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { LlmMessage } from '../llm/model.ts';

export interface Turn {
  role: 'user' | 'assistant';
  text: string;
  /** The run that it belongs to. */
  run: string;
  /** Epoch ms. */
  time: number;
}

export function turnEntry(conversationId: string, turn: Turn, source: string): EntryFields {
  return {
    time: turn.time,
    channel: conversationChannel(conversationId),
    source,
    level: 'info',
    msg: turn.text,
    event: EVENTS.conversationTurn,
    run: turn.run,
    attrs: { role: turn.role, [GEN_AI.conversationId]: conversationId },
  };
}

/** The turn that an entry holds; `undefined` where it is something else. */
export function turnOf({ event, msg, run, time, attrs }: Entry): Turn | undefined {
  const role = attrs?.role;
  if (event !== EVENTS.conversationTurn || (role !== 'user' && role !== 'assistant')) return undefined;
  return { role, text: msg, run: run ?? '', time };
}

/**
 * The newest turns that fit into `maxTokens`, oldest first, beginning with a question: half an exchange would put
 * words into somebody's mouth.
 */
export function contextOf(turns: readonly Turn[], maxTokens: number): LlmMessage[] {
  let left = maxTokens;
  let from = turns.length;
  for (let i = turns.length - 1; i >= 0; i--) {
    const turn = turns[i] as Turn;
    left -= estimateTokens(turn.text);
    if (left < 0) break;
    if (turn.role === 'user') from = i;
  }
  return turns.slice(from).map(({ role, text }) => ({ role, content: text }));
}

/** Tokens of a text as a bound: tokenizers make about one of four Latin letters, and one of each CJK character. */
export function estimateTokens(text: string): number {
  const wide = text.match(/[\u2E80-\uFFFF]/g)?.length ?? 0;
  return Math.ceil((text.length - wide) / 4) + wide;
}
