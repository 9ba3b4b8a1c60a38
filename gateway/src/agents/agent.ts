// What an agent is: a lane whose model may call tools, within limits.

import type { LanePrompt } from '../runs/prompts.ts';

export interface AgentLimits {
  /** Calls of the model that may ask for tools. After them comes a last one, which may not. */
  steps: number;
  /** Calls of tools that one answer of the model may ask for. */
  calls_per_step: number;
  /** Calls of tools in one run. */
  calls: number;
  /** How often one tool may be called with the same arguments. */
  same_call: number;
  /** Milliseconds of work; waiting for consent does not count. */
  timeout_ms: number;
}

export interface Agent extends LanePrompt {
  /** Names of tools, or beginnings of names that end in `*`. */
  readonly tools: readonly string[];
  readonly limits: AgentLimits;
}

export interface AgentSet {
  /** The first one answers where nobody names another. */
  readonly agents: readonly Agent[];
  /** Twelve hex digits of the content: the same file has the same version wherever it is. */
  readonly version: string;
}

/** What the agents file says now. */
export interface AgentSource {
  readonly current: AgentSet;
}
