// The simulated answer as it is sent: chunks of an OpenAI event stream at a steady pace, and the faults that end one early or
// send it in an unusual form.

import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { type Break, breakOf, ENDLESS, mannerOf, toolFaultOf } from './simulator-faults.ts';
import { type Composition, compose, hash } from './simulator-prose.ts';
import { composeResults, ownName } from './simulator-results.ts';
import {
  type Choice,
  chooseCalls,
  offeredTool,
  type SimulatedToolCall,
  type ToolResult,
} from './simulator-tools.ts';
import { composeUnable, missingIn } from './simulator-unable.ts';

export interface SimulatorOptions {
  /** Tokens in one chunk. */
  chunkTokens: number;
  /** Mean milliseconds per token; 0 sends as fast as the reader takes it. */
  tokenMs: number;
}

/** What one request has cost so far. Tests look at it to see that a cancelled request stops. */
export interface SimulatedCall {
  id: string;
  model: string;
  chunks: number;
  state: 'waiting' | 'streaming' | 'done' | 'aborted' | 'faulted';
}

/** A text, or a list of parts of which some are texts. */
export const spoken = z
  .union([z.string(), z.array(z.looseObject({ text: z.string().optional() })), z.null()])
  .optional()
  .transform((content) =>
    Array.isArray(content) ? content.map(({ text = '' }) => text).join('') : (content ?? ''),
  );

const ROLES = {
  developer: 'system',
  system: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'user',
} as const;
const madeCall = z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string() }) });
const message = z
  .object({
    role: z.enum(['developer', 'system', 'user', 'assistant', 'tool']),
    content: spoken,
    tool_calls: z.array(madeCall).nullish(),
    tool_call_id: z.string().nullish(),
  })
  .transform(({ role, content, tool_calls, tool_call_id }) => ({
    role: ROLES[role],
    content,
    ...(tool_calls && { called: new Map(tool_calls.map(({ id, function: { name } }) => [id, name])) }),
    ...(role === 'tool' && { isResult: true, resultOf: tool_call_id ?? '' }),
  }));

export const chatRequest = z.object({
  model: z.string().min(1),
  messages: z.array(message).min(1),
  stream: z.boolean().default(false),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  tools: z.array(offeredTool).optional(),
  tool_choice: z.unknown().optional(),
});
export type ChatRequest = z.infer<typeof chatRequest>;

/** The results of the tools that were called since the last question, and that question. */
function situationOf({ messages }: ChatRequest): { question: string; results: ToolResult[] } {
  const at = messages.findLastIndex(({ role, isResult }) => role === 'user' && !isResult);
  const lastResult = messages.findLastIndex(({ isResult }) => isResult);
  // An agent that has reached a limit is asked for its answer after the results.
  const isLast = lastResult >= 0 && at === messages.length - 1 && lastResult === at - 1;
  const asked = isLast
    ? messages.findLastIndex(({ role, isResult }, i) => i < lastResult && role === 'user' && !isResult)
    : at;
  const names = new Map(messages.slice(asked + 1).flatMap(({ called }) => [...(called ?? [])]));
  const results = messages.slice(asked + 1).flatMap(({ isResult, resultOf = '', content }) => {
    return isResult ? [{ name: names.get(resultOf) ?? 'tool', text: content }] : [];
  });
  return { question: messages[asked]?.content ?? '', results };
}

/** How the model answers: with calls of tools, or in words if there are none. */
interface Answer extends Composition {
  calls: (SimulatedToolCall & { id: string })[];
}

function answerOf(request: ChatRequest, seed: number): Answer {
  const { model, messages, tools = [], tool_choice } = request;
  const { question, results } = situationOf(request);
  const missing = missingIn(messages);
  if (results.length === 0 && breakOf(model) === 'tool-call') {
    const name = tools[0]?.function?.name ?? 'search';
    const call = { id: 'call-1', name, arguments: '{"query":"tides"}' };
    return { ...compose(messages, seed), calls: [call] };
  }
  const mayCall = tool_choice !== 'none' && breakOf(model) !== 'tool-call';
  const choice: Choice = mayCall ? chooseCalls(model, question, results, tools) : { calls: [] };
  if (choice.calls.length > 0) {
    const calls = choice.calls.map((call, i) => ({ ...call, id: `call-${results.length + i + 1}` }));
    const names = calls.map(({ name }) => ownName(name)).join(', ');
    return { reasoning: `To answer this I call tools: ${names}.`, text: '', calls };
  }
  if (results.length > 0) return { ...composeResults(results, question, missing), calls: [] };
  if (tools.length === 0 && missing === '') return { ...compose(messages, seed), calls: [] };
  const names = tools.flatMap(({ function: tool }) => tool?.name ?? []);
  return { ...composeUnable(names, choice, missing), calls: [] };
}

/** The answer as the frames of an event stream, with the fault that `request.model` stands for. The generator keeps `call` up to date. */
export async function* answerFrames(
  call: SimulatedCall,
  request: ChatRequest,
  seed: number,
  { chunkTokens, tokenMs }: SimulatorOptions,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const fault = breakOf(request.model);
  const manner = mannerOf(request.model);
  const { reasoning, text, calls } = answerOf(request, seed);
  const start = manner === 'think' ? '<think>\n' : '';
  const isThinkingInside = manner === 'think' || manner === 'think-end';
  const thoughts = isThinkingInside ? [] : tokenize(reasoning);
  const answer = tokenize(isThinkingInside ? `${start}${reasoning}\n</think>\n\n${text}` : text);
  const third = Math.floor(answer.length / 3);
  const isShort = fault === 'length' || fault === 'filter';
  const limit = request.max_completion_tokens ?? request.max_tokens ?? answer.length;
  const words = answer.slice(0, isShort ? Math.min(third, limit) : limit);
  const frame = (rest: object) =>
    `data: ${JSON.stringify({ id: call.id, object: 'chat.completion.chunk', created: 0, model: call.model, ...rest })}\n\n`;
  const delta = (content: object, finish: string | null = null) =>
    frame({ choices: [{ index: 0, delta: content, finish_reason: finish }] });
  const wait = (tokens: number, salt: number) =>
    due(tokens * tokenMs * (0.5 + (hash(`${seed}:${salt}`) % 1000) / 1000), signal);

  if (request.model === 'sim-hang-body') await untilAborted(signal);
  await wait(8, -1);
  call.state = 'streaming';
  yield delta({ role: 'assistant', content: '' });
  for (let i = 0; i < thoughts.length; i += chunkTokens) {
    const tokens = thoughts.slice(i, i + chunkTokens);
    await wait(tokens.length, i);
    yield delta({ reasoning_content: tokens.join('') });
  }
  if (calls.length > 0) {
    yield* callFrames(calls, toolFaultOf(request.model) === 'silent', delta);
    yield frame({ choices: [], usage: usageOf(request, thoughts.length, calls.length * 10) });
    yield 'data: [DONE]\n\n';
    call.state = breakOf(request.model) === 'tool-call' ? 'faulted' : 'done';
    return;
  }
  const breaking = fault === undefined || fault === 'tool-call' || isShort ? Number.POSITIVE_INFINITY : third;
  for (let i = 0; i < words.length; i += chunkTokens) {
    const tokens = words.slice(i, i + chunkTokens);
    await wait(tokens.length, thoughts.length + i);
    yield delta({ content: tokens.join('') });
    if (manner === 'choices') yield frame({ choices: [{ index: 1, delta: { content: ' another choice' } }] });
    if (i >= breaking) return yield* endEarly(fault as Break, call, signal);
  }
  yield delta({}, fault === 'filter' ? 'content_filter' : words.length < answer.length ? 'length' : 'stop');
  yield frame({ choices: [], usage: usageOf(request, thoughts.length, words.length) });
  yield 'data: [DONE]\n\n';
  if (manner === 'after-done') yield delta({ content: ' and more' });
  call.state = 'done';
}

function usageOf({ messages }: ChatRequest, thoughts: number, words: number) {
  const prompt = messages.reduce((sum, { content }) => sum + tokenize(content).length, 0);
  return {
    prompt_tokens: prompt,
    completion_tokens: thoughts + words,
    total_tokens: prompt + thoughts + words,
    completion_tokens_details: { reasoning_tokens: thoughts },
  };
}

/** Calls as services stream them: name first, then the arguments in pieces. Some services send each whole, and end with `stop`. */
function* callFrames(
  calls: readonly (SimulatedToolCall & { id: string })[],
  isWhole: boolean,
  delta: (content: object, finish?: string | null) => string,
): Generator<string, void, undefined> {
  for (const [index, { id, name, arguments: args }] of calls.entries()) {
    if (isWhole) {
      yield delta({ tool_calls: [{ index, type: 'function', function: { name, arguments: args } }] });
      continue;
    }
    yield delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] });
    for (const piece of args.match(/.{1,12}/gs) ?? [])
      yield delta({ tool_calls: [{ index, function: { arguments: piece } }] });
  }
  yield delta({}, isWhole ? 'stop' : 'tool_calls');
}

async function* endEarly(
  fault: Break,
  call: SimulatedCall,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  if (fault === 'stall') await untilAborted(signal);
  if (fault === 'die') {
    await due(30, signal); // so that the chunks so far reach the client before the socket dies
    throw new TypeError('terminated'); // the error that `fetch` would throw
  }
  call.state = 'faulted';
  if (fault === 'endless-line') {
    yield 'data: ';
    while (true) yield ENDLESS;
  }
  if (fault === 'error-chunk')
    yield `data: ${JSON.stringify({ error: { message: 'internal: simulated-secret', type: 'server_error', code: 500 } })}\n\n`;
}

/** The answer of a service that does not stream although it was asked to: with neither usage nor a choice of tools. */
export function wholeAnswer(call: SimulatedCall, request: ChatRequest, seed: number): Response {
  const { reasoning, text } = answerOf({ ...request, tool_choice: 'none' }, seed);
  const said = { role: 'assistant', reasoning_content: reasoning, content: text };
  call.state = 'done';
  return Response.json(completionOf(call, said, 'stop'));
}

/** The answer to a request that asks for no stream. */
export function askedWhole(call: SimulatedCall, request: ChatRequest, seed: number): Response {
  const { reasoning, text, calls } = answerOf(request, seed);
  const tools = calls.map(({ id, name, arguments: args }) => {
    return { id, type: 'function', function: { name, arguments: args } };
  });
  const words = tokenize(text);
  const limit = request.max_completion_tokens ?? request.max_tokens ?? words.length;
  const content = words.slice(0, limit).join('');
  const said =
    tools.length > 0
      ? { role: 'assistant', content: null, tool_calls: tools }
      : { role: 'assistant', reasoning_content: reasoning, content };
  const reason = tools.length > 0 ? 'tool_calls' : limit < words.length ? 'length' : 'stop';
  const given = request.messages.reduce((sum, { content: one }) => sum + tokenize(one).length, 0);
  const made = Math.min(limit, words.length) + tokenize(reasoning).length;
  call.state = 'done';
  const usage = { prompt_tokens: given, completion_tokens: made, total_tokens: given + made };
  return Response.json({ ...completionOf(call, said, reason), usage });
}

function completionOf({ id, model }: SimulatedCall, said: object, reason: string) {
  const choices = [{ index: 0, message: said, finish_reason: reason }];
  return { id, object: 'chat.completion', created: 0, model, choices };
}

/** Cuts a text into about as many parts as a real tokenizer does. Joined, they are the text again. */
export function tokenize(text: string): string[] {
  return text.match(/\s*\S{1,6}|\s+/g) ?? [];
}

export async function due(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms > 0) await pause(ms, undefined, { signal });
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await pause(2 ** 31 - 1, undefined, { signal, ref: false });
}
