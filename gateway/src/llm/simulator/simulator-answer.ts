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

export const chatRequest = z.object({
  model: z.string().min(1),
  messages: z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(1),
  stream: z.literal(true),
  max_tokens: z.int().positive().optional(),
  max_completion_tokens: z.int().positive().optional(),
});
export type ChatRequest = z.infer<typeof chatRequest>;

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
  if (fault === 'tool-call') return yield* endEarly(fault, call, delta, signal);
  const breaking = fault === undefined || isShort ? Number.POSITIVE_INFINITY : third;
  for (let i = 0; i < words.length; i += chunkTokens) {
    const tokens = words.slice(i, i + chunkTokens);
    await wait(tokens.length, thoughts.length + i);
    yield delta({ content: tokens.join('') });
    if (manner === 'choices') yield frame({ choices: [{ index: 1, delta: { content: ' another choice' } }] });
    if (i >= breaking) return yield* endEarly(fault as Break, call, delta, signal);
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
  delta: (content: object, finish?: string) => string,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  if (fault === 'stall') await untilAborted(signal);
  if (fault === 'die') {
    await due(30, signal); // so that the chunks so far reach the client before the socket dies
    throw new TypeError('terminated'); // the error that `fetch` would throw
  }
  call.state = 'faulted';
  if (fault === 'tool-call') {
    const called = { name: 'search', arguments: '{"query":"tides"}' };
    yield delta({ tool_calls: [{ index: 0, id: 'call-1', type: 'function', function: called }] });
    yield delta({}, 'tool_calls');
  }
  if (fault === 'endless-line') {
    yield 'data: ';
    while (true) yield ENDLESS;
  }
  if (fault === 'error-chunk')
    yield `data: ${JSON.stringify({ error: { message: 'internal: simulated-secret', type: 'server_error', code: 500 } })}\n\n`;
}

/** The answer of a service that does not stream. */
export function wholeAnswer(call: SimulatedCall, { messages }: ChatRequest, seed: number): Response {
  const { reasoning, text } = compose(messages, seed);
  const message = { role: 'assistant', reasoning_content: reasoning, content: text };
  call.state = 'done';
  return Response.json({
    id: call.id,
    object: 'chat.completion',
    created: 0,
    model: call.model,
    choices: [{ index: 0, message, finish_reason: 'stop' }],
  });
}

/** Cuts a text into about as many parts as a real tokenizer does. Joined, they are the text again. */
export function tokenize(text: string): string[] {
  return text.match(/\s*\S{1,6}|\s+/g) ?? [];
}

async function due(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms > 0) await pause(ms, undefined, { signal });
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await pause(2 ** 31 - 1, undefined, { signal, ref: false });
}
