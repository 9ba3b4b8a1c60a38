// The simulator's faults, chosen by the model's name: before an answer begins, in the middle of it, or in how it is sent.

import { setTimeout as pause } from 'node:timers/promises';

export const FAULTS = {
  'sim-401': 'refuses the key',
  'sim-429': 'limits the rate, Retry-After one second',
  'sim-503': 'is unavailable',
  'sim-hang-headers': 'accepts and never sends headers',
  'sim-hang-body': 'sends headers and nothing more',
  'sim-stall': 'stops after a third of the answer',
  'sim-die': 'drops the connection after a third of the answer',
  'sim-truncate': 'ends the stream after a third, without a finish reason',
  'sim-error-chunk': 'sends an error chunk after a third of the answer',
  'sim-length': 'reaches its limit of tokens after a third of the answer',
  'sim-filter': 'is cut off by a content filter after a third of the answer',
  'sim-tool-call': 'calls a tool instead of answering',
  'sim-tool-unknown': 'calls a tool that was not offered',
  'sim-tool-badargs': 'calls a tool with arguments that are no JSON',
  'sim-tool-loop': 'calls the same tool again and again',
  'sim-tool-all': 'calls every tool at once',
  'sim-tool-silent': 'calls a tool without an id and a word, and ends with stop',
  'sim-tool-gullible': 'does what the results of tools tell it to',
  'sim-think': 'leaves its thoughts in the content, between <think> and </think>',
  'sim-think-end': 'leaves them there with </think> alone',
  'sim-whole': 'does not stream: sends one JSON object',
  'sim-choices': 'streams a second choice in between',
  'sim-after-done': 'goes on after [DONE]',
  'sim-endless-line': 'never ends a line after a third of the answer',
  'sim-endless-error': 'refuses with a body that never ends',
} as const;

const BREAKS = [
  'stall',
  'die',
  'truncate',
  'error-chunk',
  'length',
  'filter',
  'tool-call',
  'endless-line',
] as const;
const TOOL_FAULTS = ['unknown', 'badargs', 'loop', 'all', 'silent', 'gullible'] as const;
const MANNERS = ['think', 'think-end', 'whole', 'choices', 'after-done'] as const;

/** What ends an answer after a third of it. */
export type Break = (typeof BREAKS)[number];
/** What is wrong with the calls of a model that is offered tools. */
export type ToolFault = (typeof TOOL_FAULTS)[number];
/** How a complete answer is sent. */
export type Manner = (typeof MANNERS)[number];

const STATUS: Record<string, readonly [number, string]> = {
  'sim-401': [401, 'Incorrect API key provided: simulated-secret'],
  'sim-429': [429, 'Rate limit reached for organization simulated-secret'],
  'sim-503': [503, 'simulated-secret is overloaded'],
};

/** The refusal that `model` stands for; `undefined` if it answers. For `sim-hang-headers` it waits until `signal` aborts. */
export async function answerFault(model: string, signal: AbortSignal): Promise<Response | undefined> {
  if (model === 'sim-hang-headers') await pause(2 ** 31 - 1, undefined, { signal, ref: false });
  if (model === 'sim-endless-error') return new Response(endless(), { status: 400 });
  const refusal = Object.hasOwn(STATUS, model) ? STATUS[model] : undefined;
  if (!refusal) return undefined;
  const [status, message] = refusal;
  const headers = status === 429 ? { 'retry-after': '1' } : {};
  return Response.json({ error: { message, type: 'simulated' } }, { status, headers });
}

function endless(): ReadableStream<Uint8Array> {
  const chunk = new TextEncoder().encode(ENDLESS);
  return new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }, { highWaterMark: 0 });
}

/** One part of a line, or of a body, that never ends. */
export const ENDLESS = 'a'.repeat(65_536);

/** The fault that ends an answer of `model` early; `undefined` if there is none. */
export function breakOf(model: string): Break | undefined {
  return BREAKS.find((name) => model === `sim-${name}`);
}

export function mannerOf(model: string): Manner | undefined {
  return MANNERS.find((name) => model === `sim-${name}`);
}

export function toolFaultOf(model: string): ToolFault | undefined {
  return TOOL_FAULTS.find((name) => model === `sim-tool-${name}`);
}
