// One generation that a client asks for, and how it ended.

import { ATTRS } from '@llm-streamer/shared/gen-ai.ts';

export interface GenerationRequest {
  /** The `run` of its entries: an id of its own, or the id of the agent run to which it belongs. */
  run: string;
  /** Which task of an agent run it is; absent for a plain request. */
  lane?: string;
  /** The channel on which its beginning and its end are written. */
  channel: string;
  tenant: string;
  /** The client's address, as the access log names it. */
  peer: string;
  attempt: number;
  promptTokens: number;
  /** How many of the prompt's tokens are in the prefix cache already. */
  cachedTokens: number;
  maxTokens: number;
  temperature: number;
  /** The tokens of the answer that the model gives if nothing stops it. */
  answer: readonly string[];
  /** After this many tokens the client disconnects; Infinity for a client that stays. */
  patience: number;
}

export type Failure =
  | 'client_disconnected'
  | 'context_length_exceeded'
  | 'out_of_memory'
  | 'rate_limit_exceeded'
  | 'server_shutdown'
  | 'service_unavailable';

export interface Outcome {
  /** Absent if it finished. */
  failure?: Failure;
  /** False for a request that was refused, or failed while it waited. */
  started: boolean;
  inputTokens: number;
  outputTokens: number;
  /** From the time when it was queued to its end. */
  durationMs: number;
  tokensPerSecond: number;
  /** Seconds that a rejected client is asked to wait. */
  retryAfter?: number;
}

export type Settle = (outcome: Outcome) => void;

/** The attributes that distinguish a generation from others of the same run: its lane, and its attempt if it is not the first. */
export function laneOf({ lane, attempt }: GenerationRequest): Record<string, unknown> {
  return { ...(lane !== undefined && { [ATTRS.lane]: lane }), ...(attempt > 1 && { attempt }) };
}

export function rejected(failure: Failure, retryAfter?: number): Outcome {
  const nothing = { started: false, inputTokens: 0, outputTokens: 0, durationMs: 0, tokensPerSecond: 0 };
  return { ...nothing, failure, ...(retryAfter !== undefined && { retryAfter }) };
}
