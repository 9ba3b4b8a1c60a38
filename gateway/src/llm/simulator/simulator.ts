// An OpenAI-compatible service as one function, deterministic by message: the default model of the product, and behind
// a port (simulator-server.ts) the stand-in for a real service with faults that are chosen by the model's name.

import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { answerFault, type Break, breakOf, ENDLESS, mannerOf } from './simulator-faults.ts';
import { compose, hash, seedOf } from './simulator-prose.ts';

export interface SimulatorOptions {
  /** Tokens in one chunk. */
  chunkTokens: number;
  /** Mean milliseconds per token; 0 sends as fast as the reader takes it. */
  tokenMs: number;
}

/** What one request has cost so far; shows that a cancelled one stops. */
export interface SimulatedCall {
  id: string;
  model: string;
  chunks: number;
  state: 'waiting' | 'streaming' | 'done' | 'aborted' | 'faulted';
}

/** The pace of a quick model of a real service: about 50 tokens per second. */
const PACE: SimulatorOptions = { chunkTokens: 2, tokenMs: 20 };

const KEPT_CALLS = 1000;

const chatRequest = z.object({
  model: z.string().min(1),
  messages: z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(1),
  stream: z.literal(true),
  max_tokens: z.int().positive().optional(),
  max_completion_tokens: z.int().positive().optional(),
});
type ChatRequest = z.infer<typeof chatRequest>;

export class Simulator {
  readonly #options: SimulatorOptions;
  readonly #calls: SimulatedCall[] = [];

  constructor(options: Partial<SimulatorOptions> = {}) {
    this.#options = { ...PACE, ...options };
  }

  /** The newest calls, oldest first. */
  get calls(): readonly Readonly<SimulatedCall>[] {
    return this.#calls;
  }

  /** Takes the place of `globalThis.fetch`. */
  readonly fetch: typeof globalThis.fetch = (input, init) =>
    this.respond(new Request(input, init), init?.signal ?? undefined);

  /**
   * Answers one request; the answer's stream stops where `signal` aborts. Not the request's own: Node lets that one go
   * with the request, and an abort is lost once that was collected.
   */
  async respond(request: Request, signal: AbortSignal = request.signal): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method === 'GET' && pathname.endsWith('/models'))
      return Response.json({
        object: 'list',
        data: [{ id: 'sim-1', object: 'model', owned_by: 'simulated' }],
      });
    if (request.method !== 'POST' || !pathname.endsWith('/chat/completions'))
      return problem(404, 'not_found', 'no such route');
    const parsed = chatRequest.safeParse(await request.json().catch(() => undefined));
    if (!parsed.success) return problem(400, 'invalid_request_error', z.prettifyError(parsed.error));
    return this.#chat(parsed.data, signal);
  }

  async #chat(request: ChatRequest, signal: AbortSignal): Promise<Response> {
    const seed = seedOf(request.model, request.messages);
    const call: SimulatedCall = {
      id: `sim-${seed.toString(16)}`,
      model: request.model,
      chunks: 0,
      state: 'waiting',
    };
    this.#calls.push(call);
    if (this.#calls.length > KEPT_CALLS) this.#calls.shift();

    const refused = await answerFault(request.model, signal).catch((error: unknown) => {
      call.state = 'aborted';
      throw error;
    });
    if (refused) {
      call.state = 'faulted';
      return refused;
    }
    if (mannerOf(request.model) === 'whole') return wholeAnswer(call, request, seed);
    return new Response(this.#body(call, request, seed, signal), {
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    });
  }

  #body(
    call: SimulatedCall,
    request: ChatRequest,
    seed: number,
    signal: AbortSignal,
  ): ReadableStream<Uint8Array> {
    const frames = this.#frames(call, request, seed, signal);
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const { done, value } = await frames.next();
            if (done) return controller.close();
            call.chunks++;
            controller.enqueue(encoder.encode(value));
          } catch (error) {
            call.state = signal.aborted ? 'aborted' : 'faulted';
            controller.error(signal.aborted ? signal.reason : error);
          }
        },
        cancel() {
          call.state = 'aborted';
        },
      },
      { highWaterMark: 0 }, // a chunk is made when it is due, not ahead
    );
  }

  async *#frames(
    call: SimulatedCall,
    request: ChatRequest,
    seed: number,
    signal: AbortSignal,
  ): AsyncGenerator<string, void, undefined> {
    const { chunkTokens, tokenMs } = this.#options;
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

    if (request.model === 'sim-hang-body') await forever(signal);
    await wait(8, -1);
    call.state = 'streaming';
    yield delta({ role: 'assistant', content: '' });
    for (let i = 0; i < thoughts.length; i += chunkTokens) {
      const piece = thoughts.slice(i, i + chunkTokens);
      await wait(piece.length, i);
      yield delta({ reasoning_content: piece.join('') });
    }
    if (fault === 'tool-call') return yield* this.#break(fault, call, delta, signal);
    const breaking = fault === undefined || isShort ? Number.POSITIVE_INFINITY : third;
    for (let i = 0; i < words.length; i += chunkTokens) {
      const piece = words.slice(i, i + chunkTokens);
      await wait(piece.length, thoughts.length + i);
      yield delta({ content: piece.join('') });
      if (manner === 'choices')
        yield frame({ choices: [{ index: 1, delta: { content: ' another choice' } }] });
      if (i >= breaking) return yield* this.#break(fault as Break, call, delta, signal);
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

  async *#break(
    fault: Break,
    call: SimulatedCall,
    delta: (content: object, finish?: string) => string,
    signal: AbortSignal,
  ): AsyncGenerator<string, void, undefined> {
    if (fault === 'stall') await forever(signal);
    if (fault === 'die') {
      await due(30, signal); // what was said so far gets out before the socket dies
      throw new TypeError('terminated'); // as fetch says
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
}

function wholeAnswer(call: SimulatedCall, { messages }: ChatRequest, seed: number): Response {
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

const encoder = new TextEncoder();

/** About as many pieces as a real tokenizer makes; joined they are the text again. */
export function tokenize(text: string): string[] {
  return text.match(/\s*\S{1,6}|\s+/g) ?? [];
}

async function due(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms > 0) await pause(ms, undefined, { signal });
}

async function forever(signal: AbortSignal): Promise<void> {
  await pause(2 ** 31 - 1, undefined, { signal, ref: false });
}

function problem(status: number, type: string, message: string): Response {
  return Response.json({ error: { message, type } }, { status });
}
