// Attribute names of entries about LLMs: those of OpenTelemetry's GenAI conventions (semantic-conventions-genai, status
// Development, as of November 2026), and our own for what the conventions do not name.

/** Entries with GenAI names carry this as `attrs.schema`, because the conventions still change. */
export const GEN_AI_SCHEMA = 'gen-ai-2026-09';

export const GEN_AI = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestStream: 'gen_ai.request.stream',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  requestTemperature: 'gen_ai.request.temperature',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  /** Seconds. */
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheWriteTokens: 'gen_ai.usage.cache_write.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  conversationId: 'gen_ai.conversation.id',
  promptName: 'gen_ai.prompt.name',
  promptVersion: 'gen_ai.prompt.version',
  workflow: 'gen_ai.workflow.name',
  agent: 'gen_ai.agent.name',
  tool: 'gen_ai.tool.name',
  toolCallId: 'gen_ai.tool.call.id',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
} as const;

/**
 * Our own names: `lane` (which task of a run), `tokens` (an estimate: the size of one delta, or of the text that a call was
 * given), `duration_s`, `cost` (as the caller's library estimates it), `trace_id` (where the run stands in OpenTelemetry) and `schema`.
 */
export const ATTRS = {
  lane: 'lane',
  tokens: 'tokens',
  duration: 'duration_s',
  cost: 'cost',
  trace: 'trace_id',
  schema: 'schema',
} as const;

/** The numbers in `attrs` of a `server.metrics` entry. Throughputs are per second; cache use and hit rate are from 0 to 1. */
export const METRICS = {
  promptThroughput: 'prompt_tokens_per_s',
  generationThroughput: 'generation_tokens_per_s',
  running: 'requests_running',
  waiting: 'requests_waiting',
  kvCacheUsage: 'kv_cache_usage',
  prefixCacheHitRate: 'prefix_cache_hit_rate',
  preemptions: 'preemptions_total',
} as const;
