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

/** Names that begin like texts and are none: which prompt of a library it was. */
const NO_CONTENT: ReadonlySet<string> = new Set(['gen_ai.prompt.name', 'gen_ai.prompt.version']);

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

/** @param event the name of the record's event, which says who has written it. */
export function isContent(key: string, event = ''): boolean {
  if (CONTENT_NAMES.has(key)) return true;
  if (key === 'gen_ai.prompt' || (AGENT_CONTENT.has(key) && isAgentEvent(event))) return true;
  return CONTENT_PREFIXES.some((prefix) => key.startsWith(prefix)) && !NO_CONTENT.has(key);
}

export function isAgentEvent(event = ''): boolean {
  return AGENTS.test(event);
}

/** Events whose body is what a person or a model has said. */
export function isContentEvent(event: string): boolean {
  return /^gen_ai\.(?:\w{1,40}\.message|choice|content\.\w{1,40})$/.test(event);
}
