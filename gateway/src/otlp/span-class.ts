// What kind of work a span stands for, in each dialect. Only a model call counts tokens: an agent's span repeats the sum of its calls.

import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import { type Attributes, asText } from './values.ts';

export type SpanClass = 'model' | 'tool' | 'agent' | 'workflow' | 'retrieval' | 'other';

const CLASS_OF: Readonly<Record<string, SpanClass>> = {
  chat: 'model',
  generate_content: 'model',
  text_completion: 'model',
  completion: 'model',
  embeddings: 'model',
  embedding: 'model',
  rerank: 'model',
  llm: 'model',
  llm_call: 'model',
  llm_request: 'model',
  generation: 'model',
  execute_tool: 'tool',
  tool: 'tool',
  tool_call: 'tool',
  invoke_agent: 'agent',
  create_agent: 'agent',
  agent: 'agent',
  agent_call: 'agent',
  agent_step: 'other',
  invoke_workflow: 'workflow',
  workflow: 'workflow',
  chain: 'workflow',
  retrieval: 'retrieval',
  retriever: 'retrieval',
  reranker: 'retrieval',
};

/** Where a span says what it is: the first name that is known decides. */
const SAYS = [
  GEN_AI.operation,
  'openinference.span.kind',
  'traceloop.span.kind',
  'llm.request.type',
  'langfuse.observation.type',
];

export interface Classified {
  is: SpanClass;
  /** The name of the operation by the conventions, where the span is GenAI at all. */
  operation?: string;
}

const OPERATIONS: Readonly<Partial<Record<SpanClass, string>>> = {
  model: 'chat',
  tool: 'execute_tool',
  agent: 'invoke_agent',
  workflow: 'invoke_workflow',
  retrieval: 'retrieval',
};
const STANDARD: ReadonlySet<string> = new Set([
  'chat',
  'generate_content',
  'text_completion',
  'embeddings',
  'retrieval',
  'execute_tool',
  'invoke_agent',
  'create_agent',
  'invoke_workflow',
]);

/** Looks at names as they came: call it before `unified`. */
export function classify(attributes: Attributes, name: string): Classified {
  const sdk = asText(attributes.get('ai.operationId'));
  if (sdk !== undefined) return aiSdk(sdk);
  for (const key of SAYS) {
    const said = asText(attributes.get(key))?.toLowerCase();
    if (said === undefined || !Object.hasOwn(CLASS_OF, said)) continue;
    return classified(CLASS_OF[said] as SpanClass, said);
  }
  const hasModel = ['gen_ai.request.model', 'gen_ai.response.model', 'llm.model_name'].some((key) =>
    attributes.has(key),
  );
  if (name === 'llm_request' || hasModel) return classified('model', 'chat');
  return { is: 'other' };
}

function aiSdk(operation: string): Classified {
  if (/^ai\.(?:embed|embedMany)\.doEmbed$/.test(operation)) return classified('model', 'embeddings');
  if (/\.do[A-Z]\w{1,40}$/.test(operation)) return classified('model', 'chat');
  if (operation === 'ai.toolCall') return classified('tool', 'execute_tool');
  return classified(operation.startsWith('ai.') ? 'agent' : 'other', 'invoke_agent');
}

function classified(is: SpanClass, said: string): Classified {
  const operation = STANDARD.has(said) ? said : said.startsWith('embedding') ? 'embeddings' : OPERATIONS[is];
  return operation === undefined ? { is } : { is, operation };
}
