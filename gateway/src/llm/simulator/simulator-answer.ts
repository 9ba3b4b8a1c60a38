// The simulated answer as it is sent: chunks of an OpenAI event stream at a steady pace, and the faults that end one early or
// send it in an unusual form.

import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { type Break, breakOf, ENDLESS, mannerOf } from './simulator-faults.ts';
import { compose, hash } from './simulator-prose.ts';

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
const message = z
  .object({ role: z.enum(['developer', 'system', 'user', 'assistant', 'tool']), content: spoken })
  .transform(({ role, content }) => ({
    role: ROLES[role],
    content,
    ...(role === 'tool' && { isResult: true }),
  }));

export const chatRequest = z.object({
  model: z.string().min(1),
  messages: z.array(message).min(1),
  stream: z.boolean().default(false),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  tools: z.array(z.object({ function: z.object({ name: z.string() }).optional() })).optional(),
});
export type ChatRequest = z.infer<typeof chatRequest>;

/** The call of a tool that `request.model` stands for; undefined if it answers, as after the result of one. */
function toolCallOf({ model, messages, tools = [] }: ChatRequest) {
  if (breakOf(model) !== 'tool-call' || messages.at(-1)?.isResult) return undefined;
  const name = tools[0]?.function?.name ?? 'search';
  return { id: 'call-1', type: 'function', function: { name, arguments: '{"query":"tides"}' } };
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
  const { reasoning, text } = compose(request.messages, seed);
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
  const tool = toolCallOf(request);
  if (tool) {
    yield delta({ tool_calls: [{ index: 0, ...tool }] });
    yield delta({}, 'tool_calls');
    call.state = 'faulted';
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
  const prompt = request.messages.reduce((sum, { content }) => sum + tokenize(content).length, 0);
  yield frame({
    choices: [],
    usage: {
      prompt_tokens: prompt,
      completion_tokens: thoughts.length + words.length,
      total_tokens: prompt + thoughts.length + words.length,
      completion_tokens_details: { reasoning_tokens: thoughts.length },
    },
  });
  yield 'data: [DONE]\n\n';
  if (manner === 'after-done') yield delta({ content: ' and more' });
  call.state = 'done';
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
export function wholeAnswer(call: SimulatedCall, { messages }: ChatRequest, seed: number): Response {
  const { reasoning, text } = compose(messages, seed);
  const said = { role: 'assistant', reasoning_content: reasoning, content: text };
  call.state = 'done';
  return Response.json(completionOf(call, said, 'stop'));
}

/** The answer to a request that asks for no stream. */
export function askedWhole(call: SimulatedCall, request: ChatRequest, seed: number): Response {
  const { reasoning, text } = compose(request.messages, seed);
  const tool = toolCallOf(request);
  const words = tokenize(text);
  const limit = request.max_completion_tokens ?? request.max_tokens ?? words.length;
  const content = words.slice(0, limit).join('');
  const said = tool
    ? { role: 'assistant', content: null, tool_calls: [tool] }
    : { role: 'assistant', reasoning_content: reasoning, content };
  const reason = tool ? 'tool_calls' : limit < words.length ? 'length' : 'stop';
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
