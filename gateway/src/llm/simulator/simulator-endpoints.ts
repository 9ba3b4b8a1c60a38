// What the simulator answers beside chats: completions, responses and embeddings, each as short as its protocol allows.

import { Readable } from 'node:stream';
import { z } from 'zod';
import { due, type SimulatorOptions, spoken, tokenize } from './simulator-answer.ts';
import { compose, hash, seedOf } from './simulator-prose.ts';

export type OtherEndpoint = 'completions' | 'responses' | 'embeddings';

const DIMENSIONS = 8;

const texts = z.union([z.string().transform((text) => [text]), z.array(z.string()).min(1)]);
const completionRequest = z.object({ model: z.string(), prompt: texts, stream: z.boolean().default(false) });
const embeddingRequest = z.object({
  model: z.string(),
  input: texts,
  encoding_format: z.string().optional(),
});
const responseRequest = z.object({
  model: z.string(),
  input: z.union([z.string(), z.array(z.looseObject({ content: spoken }))]),
  stream: z.boolean().default(false),
});

/** Undefined if the body is no such request. */
export function otherAnswer(
  endpoint: OtherEndpoint,
  body: unknown,
  options: SimulatorOptions,
  signal: AbortSignal,
): Response | undefined {
  if (endpoint === 'embeddings') {
    const { data } = embeddingRequest.safeParse(body);
    return data && Response.json(embeddingsOf(data));
  }
  if (endpoint === 'completions') {
    const { data } = completionRequest.safeParse(body);
    return data && completionAnswer(data, options, signal);
  }
  const { data } = responseRequest.safeParse(body);
  return data && responseAnswer(data, options, signal);
}

function embeddingsOf({ model, input, encoding_format }: z.infer<typeof embeddingRequest>) {
  const data = input.map((text, index) => {
    const numbers = Array.from({ length: DIMENSIONS }, (_, i) => (hash(`${text}/${i}`) % 2000) / 1000 - 1);
    const packed = () => Buffer.from(new Float32Array(numbers).buffer).toString('base64');
    return { object: 'embedding', index, embedding: encoding_format === 'base64' ? packed() : numbers };
  });
  const tokens = input.reduce((sum, text) => sum + tokenize(text).length, 0);
  return { object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

/** What is said to a text. */
function saidTo(model: string, text: string) {
  const messages = [{ role: 'user' as const, content: text }];
  const seed = seedOf(model, messages);
  const { text: said } = compose(messages, seed);
  return { id: `sim-${seed.toString(16)}`, said, given: tokenize(text).length, words: tokenize(said) };
}

function completionAnswer(
  { model, prompt, stream }: z.infer<typeof completionRequest>,
  options: SimulatorOptions,
  signal: AbortSignal,
): Response {
  const { id, said, given, words } = saidTo(model, prompt.join('\n'));
  const head = { id, object: 'text_completion', created: 0, model };
  const usage = { prompt_tokens: given, completion_tokens: words.length, total_tokens: given + words.length };
  const choice = (text: string, reason: string | null) => ({ index: 0, text, finish_reason: reason });
  if (!stream) return Response.json({ ...head, choices: [choice(said, 'stop')], usage });
  const frame = (value: object) => `data: ${JSON.stringify({ ...head, ...value })}\n\n`;
  return streamed(options, signal, words, (piece) => frame({ choices: [choice(piece, null)] }), {
    first: [],
    last: [frame({ choices: [choice('', 'stop')], usage }), 'data: [DONE]\n\n'],
  });
}

function responseAnswer(
  { model, input, stream }: z.infer<typeof responseRequest>,
  options: SimulatorOptions,
  signal: AbortSignal,
): Response {
  const question = typeof input === 'string' ? input : (input.at(-1)?.content ?? '');
  const { id, said, given, words } = saidTo(model, question);
  const content = [{ type: 'output_text', text: said, annotations: [] }];
  const item = { id: 'msg-1', type: 'message', role: 'assistant', status: 'completed', content };
  const usage = {
    input_tokens: given,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: words.length,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: given + words.length,
  };
  const head = { id, object: 'response', created_at: 0, model, error: null, incomplete_details: null };
  const whole = { ...head, status: 'completed', output: [item], usage };
  if (!stream) return Response.json(whole);
  let sequence = 0;
  const frame = (type: string, value: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...value })}\n\n`;
  const place = { item_id: item.id, output_index: 0, content_index: 0 };
  const begun = { ...head, status: 'in_progress', output: [] };
  const begunItem = { ...item, status: 'in_progress', content: [] };
  const part = { type: 'output_text', text: '', annotations: [] };
  return streamed(
    options,
    signal,
    words,
    (piece) => frame('response.output_text.delta', { ...place, delta: piece, logprobs: [] }),
    {
      get first() {
        return [
          frame('response.created', { response: begun }),
          frame('response.output_item.added', { output_index: 0, item: begunItem }),
          frame('response.content_part.added', { ...place, part }),
        ];
      },
      get last() {
        return [
          frame('response.output_text.done', { ...place, text: said, logprobs: [] }),
          frame('response.content_part.done', { ...place, part: content[0] }),
          frame('response.output_item.done', { output_index: 0, item }),
          frame('response.completed', { response: whole }),
        ];
      },
    },
  );
}

/** `around` is asked for what comes first and last when it is due, since frames may be numbered. */
function streamed(
  { chunkTokens, tokenMs }: SimulatorOptions,
  signal: AbortSignal,
  words: readonly string[],
  frameOf: (piece: string) => string,
  around: { readonly first: readonly string[]; readonly last: readonly string[] },
): Response {
  const encoder = new TextEncoder();
  async function* frames(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    for (const frame of around.first) yield encoder.encode(frame);
    for (let i = 0; i < words.length; i += chunkTokens) {
      const tokens = words.slice(i, i + chunkTokens);
      await due(tokens.length * tokenMs, signal);
      yield encoder.encode(frameOf(tokens.join('')));
    }
    for (const frame of around.last) yield encoder.encode(frame);
  }
  return new Response(Readable.toWeb(Readable.from(frames())) as ReadableStream<Uint8Array<ArrayBuffer>>, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  });
}
