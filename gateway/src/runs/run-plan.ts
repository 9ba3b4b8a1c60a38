// What a run is made of before it begins: the request, the lanes that it will have, and what its entries say of it.

import { createHash } from 'node:crypto';
import type { LaneInfo, LaneRole } from '@llm-streamer/shared/run.ts';
import type { LlmMessage, LlmTarget } from '../llm/model.ts';
import type { Span, TraceHeaders } from '../tracing/span.ts';
import type { LanePrompt } from './prompts.ts';

/** What a client asks for. */
export interface RunRequest {
  /** Whose run it is; '' where runs belong to nobody. */
  owner: string;
  /** Chosen by the client: the same request of the same owner with the same id is the same run. */
  id: string;
  message: string;
  conversationId?: string;
  /** The agent that is asked; the tasks and the combiner of the prompts file if there is none. */
  agent?: string;
  /** The run of the conversation whose place it takes: what followed on that one is no longer part of the conversation. */
  replaces?: string;
  /** Who asks, where places are shared; the owner if it is absent. */
  sharer?: string;
  /** The trace that the request belongs to. */
  trace?: TraceHeaders;
}

/** What each entry and the record of a run say of it. */
export interface RunIdentity {
  owner: string;
  id: string;
  conversationId?: string;
  promptVersion: string;
  agent?: string;
  replaces?: string;
  /** The trace in which the run stands, where it is traced. */
  traceId?: string;
}

/** A model of a run: a task, the combiner, or an agent. */
export interface LanePlan {
  prompt: LanePrompt;
  target: LlmTarget;
  role: LaneRole;
}

/** What the configuration says, when a run begins, of how it is done. */
export interface RunOutline {
  promptVersion: string;
  /** The tasks and, last, the combiner; or the agent alone. */
  lanes: readonly LanePlan[];
}

/** All that is needed to do the run. */
export interface RunPlan extends RunRequest, RunIdentity, RunOutline {
  /** When it was asked, in epoch milliseconds. */
  asked: number;
  /** Earlier turns of the conversation. */
  history: readonly LlmMessage[];
  /** Whether some of them may hold what strangers wrote. */
  isTainted?: true;
  /** Where the run is traced. It is ended by who starts the pipeline. */
  span?: Span;
}

/** The same message, conversation, agent and edited question have the same hash: this tells a repeated request from another one with its id. */
export function fingerprintOf({ message, conversationId, agent, replaces }: RunRequest): string {
  const asked = [message, conversationId ?? null, ...(agent === undefined ? [] : [agent])];
  if (replaces !== undefined) asked.push(`replaces ${replaces}`);
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex');
}

/** The lanes as the run's record and its first entry name them. */
export function laneInfos(lanes: readonly LanePlan[]): LaneInfo[] {
  return lanes.map(({ prompt, target, role }) => {
    return { lane: prompt.name, role, provider: target.provider, model: target.model };
  });
}
