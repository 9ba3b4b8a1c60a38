// An OpenAI-compatible service as one function: the same message gets the same answer. It is the default model of the product.
// With a port (simulator-server.ts) it stands in for a real service, with faults that are chosen by the model's name.

import { z } from 'zod';
import {
  answerFrames,
  askedWhole,
  type ChatRequest,
  chatRequest,
  type SimulatedCall,
  type SimulatorOptions,
  wholeAnswer,
} from './simulator-answer.ts';
import { type OtherEndpoint, otherAnswer } from './simulator-endpoints.ts';
import { answerFault, mannerOf } from './simulator-faults.ts';
import { seedOf } from './simulator-prose.ts';

/** The pace of a quick model of a real service: about 50 tokens per second. */
const PACE: SimulatorOptions = { chunkTokens: 2, tokenMs: 20 };

const KEPT_CALLS = 1000;

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

  /** Can be used instead of `globalThis.fetch`. */
  readonly fetch: typeof globalThis.fetch = (input, init) =>
    this.respond(new Request(input, init), init?.signal ?? undefined);

  /**
   * Answers one request; the answer's stream stops when `signal` aborts. The request's own signal is not enough: once the
   * request has been garbage-collected, its signal does not abort any more.
   */
  async respond(request: Request, signal: AbortSignal = request.signal): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method === 'GET' && pathname.endsWith('/models'))
      return Response.json({
        object: 'list',
        data: [{ id: 'sim-1', object: 'model', owned_by: 'simulated' }],
      });
    const endpoint = /\/(chat\/completions|completions|responses|embeddings)$/.exec(pathname)?.[1];
    if (request.method !== 'POST' || endpoint === undefined)
      return problem(404, 'not_found', 'no such route');
    const body: unknown = await request.json().catch(() => undefined);
    if (endpoint !== 'chat/completions')
      return (
        otherAnswer(endpoint as OtherEndpoint, body, this.#options, signal) ?? badRequest('no such request')
      );
    const parsed = chatRequest.safeParse(body);
    return parsed.success ? this.#chat(parsed.data, signal) : badRequest(z.prettifyError(parsed.error));
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
    if (!request.stream) return askedWhole(call, request, seed);
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
    const frames = answerFrames(call, request, seed, this.#options, signal);
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
      { highWaterMark: 0 }, // a chunk is made only when it is read
    );
  }
}

const encoder = new TextEncoder();

function badRequest(message: string): Response {
  return problem(400, 'invalid_request_error', message);
}

function problem(status: number, type: string, message: string): Response {
  return Response.json({ error: { message, type } }, { status });
}
