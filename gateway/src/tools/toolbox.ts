// The port to tools: which ones an agent may call now, and one call of one of them. A failed call is a result and never an exception.

import type { LlmToolCall } from '../llm/model.ts';
import type { TraceHeaders } from '../tracing/span.ts';

/** Whose consent a call needs. `once_per_run`: after one consent, the same tool is free for the rest of the run. */
export type ApprovalRule = 'never' | 'always' | 'once_per_run';

export interface Tool {
  /** As models see it: `server__tool`, at most 64 of `A-Za-z0-9_-`. */
  name: string;
  server: string;
  /** The server's own name for it. */
  tool: string;
  description: string;
  /** JSON Schema of its arguments. */
  parameters: Readonly<Record<string, unknown>>;
  /** Of its name, description and schema: a call is made only if they are still the same. */
  digest: string;
  approval: ApprovalRule;
  /** By the configuration, never by what the server says of itself. */
  readOnly: boolean;
  /** Its results may hold what strangers wrote. */
  untrusted: boolean;
}

export type ToolErrorCode =
  | 'tool_timeout'
  | 'tool_unreachable'
  | 'tool_unauthorized'
  | 'tool_unavailable'
  | 'tool_denied'
  | 'tool_failed'
  | 'tool_unknown'
  | 'tool_bad_arguments'
  | 'tool_too_large'
  | 'cancelled';

export interface ToolResult {
  /** What the model reads, well formed, and cut to 32 KiB as JSON: a control character counts as the six bytes that it takes there. */
  text: string;
  /** Bytes of the result before it was cut. */
  bytes: number;
  isCut: boolean;
  /** Absent if the tool did what it was asked. */
  code?: ToolErrorCode;
}

/** As `parseArguments` gives them, and so within its bounds. */
export type ToolArguments = LlmToolCall['args'];

/** In whose name a tool is called, and which call it is. */
export interface CallContext {
  principal: string;
  /** Random, and of this run alone: others may give their runs the same id, and once a run is deleted, its id may name another one. */
  nonce: string;
  /** Unique in its run. */
  callId: string;
  /** Where the call stands in a trace; absent where nothing is traced. */
  trace?: TraceHeaders;
}

export interface ToolServerState {
  name: string;
  state: 'up' | 'down' | 'unknown';
  /** Epoch milliseconds of the last change of `state`. */
  since: number;
  tools: readonly string[];
  /** Tools that are off because their definitions are no longer those that were pinned. */
  drifted: readonly string[];
}

export interface Toolbox {
  /**
   * Begins to look for tools, and resolves when each server has answered or failed once, at most after five seconds. It never rejects, and
   * only the first call waits. Until then there are no tools, and a gateway whose agents nobody asks loads none of what servers need.
   */
  ready(): Promise<void>;
  /** The tools that match one of the patterns (`listings__*`) and whose servers are up. */
  tools(patterns: readonly string[]): readonly Tool[];
  servers(): readonly ToolServerState[];
  /** Never rejects; ends at once with `cancelled` when `signal` aborts. */
  call(tool: Tool, args: ToolArguments, context: CallContext, signal: AbortSignal): Promise<ToolResult>;
}
