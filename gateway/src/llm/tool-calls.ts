// Tools in the client library's form, and back: what is offered to a model, what was called, and the calls of an answer that come in pieces.
// How many calls an answer makes, and how long they are, is bounded while it comes.

import type { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { isDeeperThan } from '@llm-streamer/shared/json-values.ts';
import { LlmError } from './failure.ts';
import type { LlmMessage, LlmTool, LlmToolCall } from './model.ts';

type ChatModel = ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>;
type CallOptions = Parameters<ChatModel['doStream']>[0];
type Prompt = CallOptions['prompt'][number];
type OfferedTool = NonNullable<CallOptions['tools']>[number];

/** Calls that one answer may make. Each is answered, also those that are too many for an agent. */
const MAX_CALLS = 128;
/** UTF-16 units of the arguments of all calls of an answer. */
const MAX_INPUT = 262_144;
/** Bytes of the arguments of one call. */
const MAX_ARGUMENT_BYTES = 16_384;
const MAX_LEVELS = 32;
/** UTF-16 units of what a model says that it calls, and of the service's name for the call. */
const MAX_NAME = 200;

type Part =
  | { type: 'tool-input-start' }
  | { type: 'tool-input-delta'; delta: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string };

export class ToolCalls {
  readonly all: LlmToolCall[] = [];
  #begun = 0;
  #units = 0;

  /** @throws LlmError `llm_too_long` if a bound is passed */
  take(part: Part): void {
    if (part.type === 'tool-input-start') this.#begun++;
    else if (part.type === 'tool-input-delta') this.#units += part.delta.length;
    else this.all.push(callOf(part));
    if (this.#begun > MAX_CALLS || this.#units > MAX_INPUT) throw new LlmError('llm_too_long');
  }
}

function callOf({ toolCallId, toolName, input }: Extract<Part, { type: 'tool-call' }>): LlmToolCall {
  const args = parseArguments(input);
  const names = { id: toolCallId.slice(0, MAX_NAME), name: toolName.slice(0, MAX_NAME) };
  return { ...names, args: args ?? {}, ...(args === undefined && { isBroken: true }) };
}

/** The arguments of a call; undefined if they are no object, too long or too deep. Nothing at all is how some models call a tool without any. */
export function parseArguments(text: string): LlmToolCall['args'] | undefined {
  if (text.trim() === '') return {};
  if (Buffer.byteLength(text) > MAX_ARGUMENT_BYTES) return undefined;
  if (isDeeperThan(MAX_LEVELS, text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as LlmToolCall['args'])
      : undefined;
  } catch {
    return undefined;
  }
}

export function toTool({ name, description, parameters }: LlmTool): OfferedTool {
  return { type: 'function', name, description, inputSchema: parameters };
}

export function toPrompt(message: LlmMessage): Prompt {
  const { content } = message;
  const text = { type: 'text', text: content } as const;
  if (message.role === 'tool') {
    const { id: toolCallId, name: toolName } = message.call;
    const output = { type: 'text', value: content } as const;
    return { role: message.role, content: [{ type: 'tool-result', toolCallId, toolName, output }] };
  }
  if (message.role !== 'assistant') {
    const { role } = message;
    return role === 'system' ? { role, content } : { role, content: [text] };
  }
  const { role, calls = [] } = message;
  const parts = calls.map(({ id: toolCallId, name: toolName, args: input }) => {
    return { type: 'tool-call', toolCallId, toolName, input } as const;
  });
  return { role, content: content === '' && parts.length > 0 ? parts : [text, ...parts] };
}
