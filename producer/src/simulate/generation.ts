// One generation asked of a backend, and how it ended.

import { ATTRS } from '@llm-streamer/shared/gen-ai.ts';

export interface GenerationRequest {
  /** Correlation: its own, or that of the agent run it belongs to. */
  run: string;
  /** Which task of an agent run; absent for a plain request. */
  lane?: string;
  /** Where its beginning and end are told. */
  channel: string;
  tenant: string;
  /** Whom the access log names. */
  peer: string;
  attempt: number;
  promptTokens: number;
  /** Of these, how many the prefix cache holds already. */
  cachedTokens: number;
  maxTokens: number;
  temperature: number;
  /** The answer the model would give if nothing stopped it; the tokens joined are the text. */
  answer: readonly string[];
  /** Tokens after which the client is gone; Infinity for one that stays. */
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
  /** Absent where it finished. */
  failure?: Failure;
  /** False for a request that was turned away at the door. */
  started: boolean;
  inputTokens: number;
  outputTokens: number;
  /** From queued to the end. */
  durationMs: number;
  tokensPerSecond: number;
  /** Seconds a rejected client is asked to wait. */
  retryAfter?: number;
}

export type Settle = (outcome: Outcome) => void;

/** What every entry of a generation carries to tell it from its siblings. */
export function laneOf({ lane, attempt }: GenerationRequest): Record<string, unknown> {
  return { ...(lane !== undefined && { [ATTRS.lane]: lane }), ...(attempt > 1 && { attempt }) };
}

export function rejected(failure: Failure, retryAfter?: number): Outcome {
  const nothing = { started: false, inputTokens: 0, outputTokens: 0, durationMs: 0, tokensPerSecond: 0 };
  return { ...nothing, failure, ...(retryAfter !== undefined && { retryAfter }) };
}
