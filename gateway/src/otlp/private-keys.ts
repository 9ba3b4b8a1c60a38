// Which attributes are never shown: credentials, always; and the texts that people and models exchange, unless LOG_CONTENT says so.
// Most instrumentations of models send these texts by default.

/** Credentials by the end of their name, in lower case and without `_` and `-`. */
const CREDENTIALS = [
  'authorization',
  'cookie',
  'apikey',
  'password',
  'passwd',
  'passphrase',
  'secret',
  'secretkey',
  'accesskey',
  'privatekey',
  'accesstoken',
  'refreshtoken',
  'idtoken',
  'authtoken',
  'sessiontoken',
  'bearertoken',
  'credential',
  'credentials',
];

export const MASK = '***';
/** `Bearer …` and `Basic …` in any value, keys as OpenAI and others write them, and passwords in URLs. Each takes linear time. */
const CREDENTIAL_VALUES =
  /\b(Bearer |Basic )[\w.~+/=-]{8,}|\b(?:sk|pk|rk)-[\w-]{16,}|(:\/\/[^\s/:@]{0,64}:)[^\s/@]{1,100}(?=@)/gi;

export function isCredential(key: string): boolean {
  const plain = key.toLowerCase().replace(/[_-]/g, '');
  return plain === 'token' || plain.endsWith('.token') || CREDENTIALS.some((name) => plain.endsWith(name));
}

/** The value of an attribute or a message without credentials in it. */
export function masked(text: string): string {
  return text.replace(
    CREDENTIAL_VALUES,
    (_found, scheme: string | undefined, url: string | undefined) => `${scheme ?? url ?? ''}${MASK}`,
  );
}

const CONTENT_NAMES: ReadonlySet<string> = new Set([
  // OpenTelemetry
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.tool.definitions',
  'gen_ai.tool.call.arguments',
  'gen_ai.tool.call.result',
  'gen_ai.tool.description',
  'gen_ai.retrieval.documents',
  'gen_ai.retrieval.query.text',
  'gen_ai.input',
  'gen_ai.output',
  'gen_ai.event.content',
  // OpenInference
  'input.value',
  'output.value',
  'llm.invocation_parameters',
  'llm.function_call',
  'llm.tools',
  'document.content',
  'embedding.text',
  'metadata',
  'tool.parameters',
  'tool.description',
  'tool.json_schema',
  // AI SDK
  'ai.value',
  'ai.values',
  'ai.embedding',
  'ai.embeddings',
  'ai.schema',
  'ai.toolCall.args',
  'ai.toolCall.result',
  // Traceloop
  'traceloop.entity.input',
  'traceloop.entity.output',
  'llm.request.functions',
  // Logfire
  'all_messages_events',
  'pydantic_ai.all_messages',
  'request_data',
  'response_data',
  'final_result',
  'tool_arguments',
  'tool_response',
  'logfire.msg', // a message with the arguments filled in
  // Claude Code, Codex, Gemini CLI
  'prompt',
  'user_prompt',
  'system_prompt',
  'body',
  'arguments',
  'function_args',
  'tool_parameters',
  'tool_input',
  'tool_output',
  'full_command',
  'request_text',
  'response_text',
]);

const CONTENT_PREFIXES = [
  'gen_ai.prompt.',
  'gen_ai.completion',
  'gen_ai.input.messages.',
  'gen_ai.output.messages.',
  'gen_ai.content.',
  'llm.input_messages',
  'llm.output_messages',
  'llm.prompts',
  'llm.completions',
  'llm.prompt_template',
  'llm.tools.',
  'retrieval.documents',
  'reranker.',
  'embedding.embeddings',
  'ai.prompt',
  'ai.response.text',
  'ai.response.object',
  'ai.response.toolCalls',
  'ai.response.reasoning',
  'ai.response.files',
  'ai.request.body',
  'ai.telemetry.metadata',
  'langfuse.observation.input',
  'langfuse.observation.output',
  'langfuse.observation.metadata',
  'langfuse.trace.input',
  'langfuse.trace.output',
  'langfuse.trace.metadata',
];

/** In the span of a model call or an agent (Pydantic AI); elsewhere `events` may be anything. */
const SPAN_CONTENT: ReadonlySet<string> = new Set(['events', 'model_request_parameters']);

/** Names of the dialects. A text under such a name that nobody knows may be what a person or a model has said. */
const OF_MODELS = /^(?:gen_ai|llm|traceloop|ai|langfuse)\./;
/** Names that are shown whatever their value looks like. */
const NO_CONTENT: ReadonlySet<string> = new Set([
  'gen_ai.operation.name',
  'gen_ai.system',
  'gen_ai.provider.name',
  'gen_ai.request.model',
  'gen_ai.response.model',
  'gen_ai.response.id',
  'gen_ai.response.finish_reasons',
  'gen_ai.conversation.id',
  'gen_ai.agent.id',
  'gen_ai.agent.name',
  'gen_ai.agent.description',
  'gen_ai.agent.version',
  'gen_ai.tool.name',
  'gen_ai.tool.type',
  'gen_ai.tool.call.id',
  'gen_ai.workflow.name',
  'gen_ai.data_source.id',
  'gen_ai.evaluation.name',
  // Which prompt of a library it was.
  'gen_ai.prompt.name',
  'gen_ai.prompt.version',
  'llm.provider',
  'llm.system',
  'llm.model_name',
  'llm.request.model',
  'llm.response.model',
  'traceloop.workflow.name',
  'traceloop.entity.name',
  'traceloop.entity.path',
  'ai.operationId',
  'ai.model.id',
  'ai.model.provider',
  'ai.response.model',
  'ai.telemetry.functionId',
  'ai.toolCall.name',
  'langfuse.trace.name',
  'langfuse.trace.tags',
  'langfuse.session.id',
  'langfuse.user.id',
  'langfuse.observation.prompt.name',
  'langfuse.observation.status_message',
  'langfuse.observation.model.name',
  'langfuse.observation.model.parameters',
  'langfuse.observation.usage_details',
  'langfuse.observation.cost_details',
  'event.name',
  'session.id',
]);
/** A longer text is no identifier. */
const MAX_IDENTIFIER = 200;

/** Parts of an event of `isContentEvent` that are no text of anybody. */
export const HARMLESS: readonly string[] = ['role', 'index', 'finish_reason'];

/** In the records of agents on a terminal these are what people and tools have said; elsewhere they may be anything. */
const AGENT_CONTENT: ReadonlySet<string> = new Set([
  'output',
  'input',
  'response',
  'message',
  'content',
  'command',
  'request',
]);
/** Agents on a terminal, which write the name of an event before everything. */
const AGENTS = /^(?:claude_code|codex|gemini_cli|qwen[-_]code)\b/;

/** Where an attribute stands. */
export interface Where {
  /** The name of the record's event, which says who has written it. */
  event?: string | undefined;
  /** Whether it is on a span of a model call, a tool or an agent. */
  isGenAiSpan?: boolean;
}

export function isContent(key: string, value: unknown, { event = '', isGenAiSpan = false }: Where): boolean {
  if (NO_CONTENT.has(key)) return false;
  if (isContentEvent(event)) return !HARMLESS.includes(key) && isTextOrObject(value);
  if (CONTENT_NAMES.has(key) || (isGenAiSpan && SPAN_CONTENT.has(key))) return true;
  if (key === 'gen_ai.prompt' || (AGENT_CONTENT.has(key) && isAgentEvent(event))) return true;
  if (CONTENT_PREFIXES.some((prefix) => key.startsWith(prefix))) return true;
  return OF_MODELS.test(key) && isText(value);
}

function isTextOrObject(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

/** Whether a value may be words of a language: a list or an object of them, too. */
function isText(value: unknown): boolean {
  if (!isTextOrObject(value)) return false;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MAX_IDENTIFIER || /[^!-~]/.test(text); // blanks, and whatever is not ASCII
}

export function isAgentEvent(event = ''): boolean {
  return AGENTS.test(event);
}

/** Events whose body is what a person or a model has said. */
export function isContentEvent(event: string): boolean {
  return /^gen_ai\.(?:\w{1,40}\.message|choice|content\.\w{1,40})$/.test(event);
}
