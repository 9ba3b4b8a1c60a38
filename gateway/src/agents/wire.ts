// Turns the entries of an agent's run into the events of POST /agents/chat-stream. The same entries give the same events, live or
// replayed.

import type { RunUsage } from '@llm-streamer/shared/api-types.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { aboutOf, failureOf, lostEvent, type StreamedRun, trimmedEvent, usageOf } from '../runs/wire.ts';

export interface AgentData {
  message_id: string;
  conversation_id?: string;
  status?: string;
  message?: string;
  /** On `content`: the next piece of the answer. */
  chunk?: string;
  code?: string;
  partial?: boolean;
  final?: boolean;
  usage?: RunUsage;
  /** At a limit the agent had to answer; `limit` says which. */
  limited?: true;
  limit?: string;
  /** The model had no room to end. */
  finish_reason?: 'length';
  /** All text of this step was reasoning. */
  retracts?: true;
  /** How long a call has taken. */
  ms?: number;
  // What follows is as the entry says it.
  agent?: unknown;
  step?: unknown;
  tool?: unknown;
  call_id?: unknown;
  arguments?: unknown;
  approval_id?: unknown;
  approved?: unknown;
  by?: unknown;
  reason?: unknown;
  expires?: unknown;
  steps?: unknown;
  tool_calls?: unknown;
  unverified?: unknown;
}

export interface AgentEvent {
  event: 'thinking' | 'content' | 'error' | 'done';
  data: AgentData;
}

/** The event that an entry becomes; `undefined` for entries that the stream does not show. */
export function agentEvent(entry: Entry, run: StreamedRun): AgentEvent | undefined {
  const { event, msg, attrs = {} } = entry;
  const about = aboutOf(run);
  const thinking = (status: string, more: Partial<AgentData>): AgentEvent => {
    return { event: 'thinking', data: { ...about, status, ...more } };
  };
  const call = { tool: attrs[GEN_AI.tool], call_id: attrs[GEN_AI.toolCallId] };
  switch (event) {
    case EVENTS.runStarted:
      return thinking('processing', { message: 'Analyzing your request...', agent: attrs[GEN_AI.agent] });
    case EVENTS.generationStarted:
      return thinking('step', { step: attrs.step });
    case EVENTS.generationDelta:
      if (attrs.kind === 'reasoning') return thinking('reasoning', { message: msg });
      return { event: 'content', data: { ...about, chunk: msg } };
    case EVENTS.generationRetracted:
      return thinking('reasoning', { retracts: true });
    case EVENTS.generationFailed:
      return { event: 'error', data: { ...about, status: 'failed', ...failureOf(entry), final: false } };
    case EVENTS.toolCalled:
      return thinking('tool', { ...call, arguments: attrs.arguments, message: msg });
    case EVENTS.toolAsked: {
      const { approval, reason, expires } = attrs;
      const asked = { approval_id: approval, reason, expires };
      return thinking('approval', { ...call, ...asked, arguments: attrs.arguments, message: msg });
    }
    case EVENTS.toolDecided: {
      const { approval, approved, by, reason } = attrs;
      return thinking('decided', {
        call_id: call.call_id,
        approval_id: approval,
        approved,
        by,
        reason,
        message: msg,
      });
    }
    case EVENTS.toolReturned: {
      const code = attrs[GEN_AI.errorType];
      const ms = Math.round(Number(attrs[ATTRS.duration]) * 1_000);
      if (typeof code !== 'string') return thinking('tool_done', { ...call, ms });
      return thinking('tool_failed', { ...call, ms, code, message: msg });
    }
    case EVENTS.runFinished:
      return { event: 'done', data: { ...about, status: 'completed', final: true, ...endOf(entry) } };
    case EVENTS.runFailed:
    case EVENTS.runCancelled:
    case EVENTS.runLost: {
      const { unverified } = attrs;
      const data = { ...about, status: END_STATUS[event], ...failureOf(entry), final: true, ...endOf(entry) };
      return { event: 'error', data: { ...data, ...(unverified !== undefined && { unverified }) } };
    }
    default:
      return undefined;
  }
}

/** Sent instead of entries that are no longer kept. */
export function agentTrimmed(run: StreamedRun): AgentEvent {
  return trimmedEvent(run, 'incomplete');
}

/** The last event of an agent's run that the log has lost. */
export function agentLost(run: StreamedRun): AgentEvent {
  return lostEvent(run, END_STATUS[EVENTS.runLost]);
}

const END_STATUS = {
  [EVENTS.runFailed]: 'failed',
  [EVENTS.runCancelled]: 'cancelled',
  [EVENTS.runLost]: 'lost',
} as const;

/** What the last event says of the whole run. */
function endOf(entry: Entry): Partial<AgentData> {
  const { steps, tool_calls, limit, cut } = entry.attrs ?? {};
  return {
    usage: usageOf(entry),
    ...(steps !== undefined && { steps, tool_calls }),
    ...(typeof limit === 'string' && { limited: true, limit }),
    ...(Array.isArray(cut) && { finish_reason: 'length' }),
  };
}
