// The loop of an agent: its model answers, or asks for tools and is given their results, until it answers or a limit is reached. At a
// limit it is asked once more, and may call none, so that a run ends with what it has found and not with silence.

import { LlmError } from '../llm/failure.ts';
import type { LlmMessage, LlmRequest, LlmToolCall } from '../llm/model.ts';
import type { LaneResult } from '../runs/lane.ts';
import type { Usage } from '../runs/usage.ts';
import type { Tool } from '../tools/toolbox.ts';
import type { AgentLimits } from './agent.ts';

export interface LoopParts {
  limits: AgentLimits;
  /** The tools that may be called now. */
  tools(): readonly Tool[];
  /** Asks the model. It does not throw: a failure is a result. */
  ask(
    messages: readonly LlmMessage[],
    tools: readonly Tool[],
    step: number,
    toolChoice: LlmRequest['toolChoice'],
  ): Promise<LaneResult>;
  /** Makes calls, and resolves with a result for each, in their order. */
  call(calls: readonly LlmToolCall[], tools: readonly Tool[], step: number): Promise<LlmMessage[]>;
  /** How many calls were made. */
  calls(): number;
}

export type LoopResult = {
  /** Of each answer of the model. */
  used: Usage[];
  steps: number;
  /** The limit that was reached. */
  limit?: LimitCode;
} & ({ ok: true; text: string; cut: boolean } | { ok: false; error: LlmError; partial: boolean });

export type LimitCode = 'agent_steps' | 'agent_calls' | 'agent_tokens';

/** Tokens of all answers of a run together, given and made. */
const MAX_TOKENS = 500_000;

const LAST_REQUEST = 'No more tools can be called. Answer now with what you have, and say what is missing.';

export async function runLoop(opening: readonly LlmMessage[], parts: LoopParts): Promise<LoopResult> {
  const messages = [...opening];
  const used: Usage[] = [];
  let hasSpoken = false;
  for (let steps = 1; ; steps++) {
    const limit = limitReached(steps, used, parts);
    if (limit) messages.push({ role: 'user', content: LAST_REQUEST });
    const tools = parts.tools();
    const result = await parts.ask(messages, tools, steps, limit && 'none');
    used.push(result.usage);
    hasSpoken ||= result.text !== '';
    const about = { used, steps, ...(limit && { limit }) };
    if (!result.ok) return { ...about, ok: false, error: result.error, partial: hasSpoken };
    const { text, calls, cut } = result;
    const isSilent = text.trim() === '';
    // Some models call tools although they may not.
    if (limit && isSilent)
      return { ...about, ok: false, error: new LlmError('llm_tool_call'), partial: hasSpoken };
    if (limit || calls.length === 0) return { ...about, ok: true, text, cut };
    messages.push({ role: 'assistant', content: text, calls });
    messages.push(...(await parts.call(calls, tools, steps)));
  }
}

function limitReached(
  steps: number,
  used: readonly Usage[],
  { limits, calls }: LoopParts,
): LimitCode | undefined {
  if (steps > limits.steps) return 'agent_steps';
  if (calls() >= limits.calls) return 'agent_calls';
  const tokens = used.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0);
  return tokens >= MAX_TOKENS ? 'agent_tokens' : undefined;
}
