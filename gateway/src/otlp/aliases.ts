// The names under which other libraries write what a model call was: those of today's GenAI conventions, and, in the order in which they
// are tried, those of older conventions, OpenInference, the AI SDK, Traceloop, Langfuse, Gemini CLI, Claude Code and vLLM.

import { ATTRS, GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { type Attributes, asNumber, asText } from './values.ts';

type Read = (value: unknown) => unknown;

interface Alias {
  to: string;
  read: Read;
  /** Names, or names whose value has another form. */
  from: readonly (string | readonly [string, Read])[];
}

const text: Read = asText;
const count: Read = (value) => {
  const number = asNumber(value);
  return number !== undefined && number >= 0 ? number : undefined;
};
const fromMs: Read = (value) => {
  const ms = asNumber(value);
  return ms === undefined ? undefined : ms / 1_000;
};
/** The AI SDK's provider is `openai.chat`, where the others write `openai`. */
const provider: Read = (value) => asText(value)?.replace(/\.(?:chat|responses|completion|embedding)$/, '');
const reasons: Read = (value) => {
  const list = Array.isArray(value) ? value : [value];
  const named = list.filter((one) => typeof one === 'string' && one !== '');
  return named.length > 0 ? named.slice(0, 20) : undefined;
};
/** A number inside a text of JSON, as Langfuse writes usage and cost. */
const inJson =
  (...keys: string[]): Read =>
  (value) => {
    if (typeof value !== 'string' || value.length > 10_000) return undefined;
    try {
      const object: unknown = JSON.parse(value);
      for (const key of keys) {
        const number = count((object as Record<string, unknown> | null)?.[key]);
        if (number !== undefined) return number;
      }
    } catch {}
    return undefined;
  };

const ALIASES: readonly Alias[] = [
  {
    to: GEN_AI.provider,
    read: provider,
    from: ['gen_ai.system', 'llm.provider', 'llm.system', 'ai.model.provider'],
  },
  {
    to: GEN_AI.requestModel,
    read: text,
    from: [
      'llm.request.model_name',
      'llm.model_name',
      'llm.request.model',
      'ai.model.id',
      'langfuse.observation.model.name',
      'model_name',
      'model',
    ],
  },
  {
    to: GEN_AI.responseModel,
    read: text,
    from: ['llm.response.model_name', 'llm.response.model', 'ai.response.model'],
  },
  { to: GEN_AI.responseId, read: text, from: ['llm.response.id', 'ai.response.id'] },
  {
    to: GEN_AI.inputTokens,
    read: count,
    from: [
      'gen_ai.usage.prompt_tokens',
      'llm.token_count.prompt',
      'ai.usage.inputTokens',
      'ai.usage.promptTokens',
      ['langfuse.observation.usage_details', inJson('input', 'prompt_tokens', 'input_tokens')],
      'llm.usage.prompt_tokens',
      'input_token_count',
      'input_tokens',
    ],
  },
  {
    to: GEN_AI.outputTokens,
    read: count,
    from: [
      'gen_ai.usage.completion_tokens',
      'llm.token_count.completion',
      'ai.usage.outputTokens',
      'ai.usage.completionTokens',
      ['langfuse.observation.usage_details', inJson('output', 'completion_tokens', 'output_tokens')],
      'llm.usage.completion_tokens',
      'output_token_count',
      'output_tokens',
    ],
  },
  {
    to: GEN_AI.cacheReadTokens,
    read: count,
    from: [
      'gen_ai.usage.cache_read_input_tokens',
      'gen_ai.usage.cached_input_tokens',
      'llm.token_count.prompt_details.cache_read',
      'ai.usage.cachedInputTokens',
      'cached_content_token_count',
      'cached_token_count',
      'cache_read_tokens',
    ],
  },
  {
    to: GEN_AI.cacheWriteTokens,
    read: count,
    from: [
      'gen_ai.usage.cache_creation.input_tokens',
      'gen_ai.usage.cache_creation_input_tokens',
      'llm.token_count.prompt_details.cache_write',
      'cache_creation_tokens',
    ],
  },
  {
    to: GEN_AI.reasoningTokens,
    read: count,
    from: [
      'gen_ai.usage.reasoning_tokens',
      'llm.token_count.completion_details.reasoning',
      'ai.usage.reasoningTokens',
      'thoughts_token_count',
      'reasoning_token_count',
    ],
  },
  {
    to: GEN_AI.finishReasons,
    read: reasons,
    from: [
      'gen_ai.response.finish_reason',
      'gen_ai.response.stop_reason',
      'llm.finish_reason',
      'llm.response.finish_reason',
      'llm.response.stop_reason',
      'ai.response.finishReason',
    ],
  },
  {
    to: GEN_AI.timeToFirstChunk,
    read: count,
    from: [
      'gen_ai.client.operation.time_to_first_chunk',
      'gen_ai.latency.time_to_first_token',
      ['ai.response.msToFirstChunk', fromMs],
      ['ttft_ms', fromMs],
    ],
  },
  { to: GEN_AI.tool, read: text, from: ['tool.name', 'ai.toolCall.name', 'tool_name', 'function_name'] },
  { to: GEN_AI.toolCallId, read: text, from: ['ai.toolCall.id', 'tool_call.id', 'call_id'] },
  { to: GEN_AI.conversationId, read: text, from: ['session.id', 'langfuse.session.id', 'conversation.id'] },
  { to: GEN_AI.agent, read: text, from: ['agent.name', 'agent_name'] },
  {
    to: GEN_AI.requestTemperature,
    read: asNumber,
    from: ['llm.request.temperature', 'ai.settings.temperature'],
  },
  {
    to: GEN_AI.requestMaxTokens,
    read: count,
    from: ['ai.settings.maxOutputTokens', 'ai.settings.maxTokens'],
  },
  { to: GEN_AI.requestStream, read: (value) => value, from: ['llm.is_streaming', 'gen_ai.is_streaming'] },
  {
    to: ATTRS.cost,
    read: count,
    from: ['llm.cost.total', 'gen_ai.usage.cost', ['langfuse.observation.cost_details', inJson('total')]],
  },
];

/** Replaces other names by today's. What was understood under another name is not kept under that name. */
export function unified(attributes: Attributes): Attributes {
  for (const { to, read, from } of ALIASES) {
    let value = attributes.has(to) ? read(attributes.get(to)) : undefined;
    attributes.delete(to);
    for (const alias of from) {
      const [name, readThis] = typeof alias === 'string' ? [alias, read] : alias;
      if (!attributes.has(name)) continue;
      const found = readThis(attributes.get(name));
      if (found === undefined) continue;
      value ??= found;
      // One text of JSON holds several values: it goes once all are taken.
      if (typeof alias === 'string') attributes.delete(name);
    }
    if (value !== undefined) attributes.set(to, value);
  }
  attributes.delete('langfuse.observation.usage_details');
  attributes.delete('langfuse.observation.cost_details');
  return attributes;
}
