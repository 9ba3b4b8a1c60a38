// The port to language models: one call is one stream of events that ends with `finish` or throws an LlmError.

import type { Span, TraceHeaders } from '../tracing/span.ts';

/** A tool that the model may call. */
export interface LlmTool {
  name: string;
  description: string;
  /** JSON Schema of the arguments. */
  parameters: Readonly<Record<string, unknown>>;
}

/** A call that a model asks for. Whether and how it is made is for others to decide. */
export interface LlmToolCall {
  /** As the model's service names it. */
  id: string;
  name: string;
  /** `{}` if the model wrote something that is no object of JSON, or is too long: services refuse a conversation that repeats such a text. */
  args: Readonly<Record<string, unknown>>;
  isBroken?: true;
}

/** One message of a conversation. */
export type LlmMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; calls?: readonly LlmToolCall[] }
  /** The result of one call of the message before. */
  | { role: 'tool'; content: string; call: LlmToolCall };

/** Where a model is served and under which name. */
export interface LlmTarget {
  /** The service's name in attributes and metrics: `openai`, `openrouter`, `ollama`, `simulated`, … */
  provider: string;
  /** Without a trailing slash, `/v1` included. */
  baseUrl: string;
  model: string;
  /** Absent for servers that need no key. */
  key?: string;
}

export interface LlmRequest {
  target: LlmTarget;
  messages: readonly LlmMessage[];
  /** Without them, a call of a tool instead of an answer is a failure. */
  tools?: readonly LlmTool[];
  /** `none` if none may be called now. Services that are shown calls of before want to be told of the tools all the same. */
  toolChoice?: 'none' | undefined;
  temperature?: number;
  /** Tokens of output at most. */
  maxTokens?: number;
  /** Where the call stands in a trace; absent where nothing is traced. */
  trace?: CallTrace;
  /** Sent to the service besides those that the call needs. */
  headers?: TraceHeaders;
}

export interface CallTrace {
  parent: Span;
  /** Whether the texts of the messages may stand in the trace. */
  texts: boolean;
}

export interface LlmUsage {
  inputTokens: number;
  outputTokens: number;
  /** Part of `outputTokens`. */
  reasoningTokens: number;
  /** False if the server sent no usage; the numbers are then zero and mean nothing. */
  reported: boolean;
}

export interface LlmFinish {
  type: 'finish';
  /** `stop`, `length`, `tool-calls`, `content-filter` (the model refused in words) or `other`. An answer that cannot be used is thrown instead. */
  reason: string;
  usage: LlmUsage;
  /** From the call to the first text, reasoning or beginning of a tool's call; equals the duration if there was none. */
  firstContentMs: number;
  durationMs: number;
  responseId: string | undefined;
  responseModel: string | undefined;
}

export type LlmEvent =
  | { type: 'reasoning'; text: string }
  | { type: 'text'; text: string }
  /** All text so far was reasoning; what follows is the answer. */
  | { type: 'retract' }
  /** Comes after all else but `finish`, so that nothing is done for an answer that breaks off. */
  | { type: 'tool-call'; call: LlmToolCall }
  | LlmFinish;

/**
 * Calls one model. A reader that stops reading, for whatever reason, closes the upstream connection.
 * @throws LlmError, and nothing else, from the iterator; after `signal` aborts, one with code `cancelled`.
 */
export interface LlmModel {
  stream(request: LlmRequest, signal: AbortSignal): AsyncIterable<LlmEvent>;
}
