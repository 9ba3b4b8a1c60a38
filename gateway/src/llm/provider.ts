// Calls any server of the OpenAI protocol with the AI SDK. It adds what the SDK lacks: a timer for the first content that also
// runs while the server withholds its headers, an upstream connection that is closed in every case, errors without the
// provider's words, and the separation of thoughts from the answer. It calls the SDK's provider directly, not `streamText`, whose
// tool loop is not ours: a hundred runs at once take 4.3 s of CPU this way and 6.5 s with `streamText`.

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { boundedResponse } from './answer-body.ts';
import { ChunkReader } from './chunk-reader.ts';
import { LlmError, toLlmError } from './failure.ts';
import type { LlmEvent, LlmFinish, LlmModel, LlmRequest, LlmTarget, LlmUsage } from './model.ts';
import { ThoughtTags } from './thought-tags.ts';
import { ToolCalls, toPrompt, toTool } from './tool-calls.ts';

export interface LlmTimeouts {
  /** Milliseconds until the first text, reasoning or tool's call, connecting included. */
  firstContentMs: number;
  /** Milliseconds between two chunks. */
  chunkMs: number;
}

export type Fetch = typeof globalThis.fetch;

/** UTF-16 units of a response's id and model: the service chooses them, so they could be of any length. */
const MAX_NAME = 200;

export class ProviderModel implements LlmModel {
  readonly #timeouts: LlmTimeouts;
  readonly #fetch: Fetch;

  /** @param fetch of the simulator, or of a test, instead of the network. */
  constructor(timeouts: LlmTimeouts, fetch: Fetch = globalThis.fetch) {
    this.#timeouts = timeouts;
    this.#fetch = fetch;
  }

  async *stream(request: LlmRequest, signal: AbortSignal): AsyncGenerator<LlmEvent, void, undefined> {
    const started = performance.now();
    const upstream = new AbortController();
    let interrupt: (error: LlmError) => void = () => undefined;
    const stop = (error: LlmError) => {
      upstream.abort(error);
      interrupt(error); // even if the server or the client library ignores the abort
    };
    const interruptible = <T>(promise: PromiseLike<T>) =>
      new Promise<T>((resolve, reject) => {
        interrupt = reject;
        Promise.resolve(promise).then(resolve).catch(reject);
      });
    const cancel = () => stop(signal.reason instanceof LlmError ? signal.reason : new LlmError('cancelled'));
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    let timer = setTimeout(() => stop(new LlmError('llm_no_first_content')), this.#timeouts.firstContentMs);
    let firstContentMs: number | undefined;
    let streamed = false;
    const offersTools = (request.tools?.length ?? 0) > 0;
    const chunks = new ChunkReader(offersTools);
    const calls = new ToolCalls();
    const received = (response: Response) => {
      streamed = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      return boundedResponse(response, chunks);
    };
    const tags = new ThoughtTags();
    let hasAnswer = false;
    let isFiltered = false;
    let response: { id?: string | undefined; modelId?: string | undefined } = {};
    let finish: LlmFinish | undefined;
    let failure: unknown;

    try {
      upstream.signal.throwIfAborted();
      const { stream } = await interruptible(this.#call(request, upstream.signal, received));
      const parts = stream.getReader();
      while (true) {
        upstream.signal.throwIfAborted(); // the reader may have taken long over the last event
        const { done, value: part } = await interruptible(parts.read());
        if (done) break;
        switch (part.type) {
          case 'response-metadata':
            response = { id: part.id?.slice(0, MAX_NAME), modelId: part.modelId?.slice(0, MAX_NAME) };
            streamed = true; // whatever content type the service claims
            break;
          case 'tool-input-start':
          case 'tool-input-delta':
          case 'tool-call':
            calls.take(part);
            firstContentMs ??= performance.now() - started;
            clearTimeout(timer);
            timer = setTimeout(() => stop(new LlmError('llm_stalled')), this.#timeouts.chunkMs);
            break;
          case 'reasoning-delta':
          case 'text-delta':
            if (part.delta === '') break;
            firstContentMs ??= performance.now() - started;
            clearTimeout(timer);
            if (part.type === 'text-delta') {
              for (const event of tags.separate(part.delta)) {
                if (event.type === 'retract') hasAnswer = false;
                else if (event.type === 'text') hasAnswer ||= event.text.trim() !== '';
                yield event;
              }
            } else {
              tags.noteReasoning();
              yield { type: 'reasoning', text: part.delta };
            }
            timer = setTimeout(() => stop(new LlmError('llm_stalled')), this.#timeouts.chunkMs);
            break;
          case 'finish':
            isFiltered = part.finishReason.raw === 'content_filter';
            finish = {
              type: 'finish',
              reason: part.finishReason.unified,
              usage: usageOf(part.usage),
              firstContentMs: firstContentMs ?? performance.now() - started,
              durationMs: performance.now() - started,
              responseId: response.id,
              responseModel: response.modelId,
            };
            break;
          case 'error':
            failure ??= part.error; // a `finish` with reason `error` follows, which says less than the first error
            break;
        }
      }
    } catch (error) {
      failure ??= error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
      // Without the abort, the server would generate to the end of the answer.
      if (!upstream.signal.aborted) upstream.abort(new LlmError('cancelled'));
    }
    const rest = tags.end();
    if (rest && rest.text.trim() !== '') {
      hasAnswer ||= rest.type === 'text';
      yield rest;
    }
    // A web page ends without a finish reason, too. That is not a truncated answer, and would be the same in a second attempt.
    const truncated = () => new LlmError(streamed ? 'llm_truncated' : 'llm_invalid_response');
    if (failure !== undefined) {
      const error = toLlmError(failure);
      throw error.code === 'llm_truncated' ? truncated() : error;
    }
    if (!finish || finish.reason === 'error') throw truncated();
    if (isFiltered) throw new LlmError('llm_filtered');
    // Some services end with `stop` although tools are called, so the calls decide.
    if ((finish.reason === 'tool-calls' && !offersTools) || (chunks.hasToolCall && !hasAnswer))
      throw new LlmError('llm_tool_call');
    if (!hasAnswer && calls.all.length === 0)
      throw new LlmError(finish.reason === 'length' ? 'llm_no_tokens_left' : 'llm_empty');
    for (const call of calls.all) yield { type: 'tool-call', call };
    yield finish;
  }

  #call(
    { target, messages, tools = [], toolChoice, temperature, maxTokens, headers }: LlmRequest,
    abortSignal: AbortSignal,
    received: (response: Response) => Promise<Response>,
  ) {
    const fetch: Fetch = async (input, init) => {
      // A redirect is not followed, because that would send the prompt to a service that is not configured.
      return received(await this.#fetch(input, { ...init, redirect: 'manual' }));
    };
    return this.#provider(target, fetch)
      .chatModel(target.model)
      .doStream({
        prompt: messages.map(toPrompt),
        ...(tools.length > 0 && { tools: tools.map(toTool) }),
        ...(tools.length > 0 && toolChoice && { toolChoice: { type: toolChoice } }),
        abortSignal,
        ...(temperature !== undefined && { temperature }),
        ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
        ...(headers !== undefined && { headers: { ...headers } }),
      });
  }

  #provider({ provider, baseUrl, key }: LlmTarget, fetch: Fetch) {
    return createOpenAICompatible({
      name: provider,
      baseURL: baseUrl,
      includeUsage: true,
      fetch,
      ...(key !== undefined && { apiKey: key }),
      ...(provider === 'openai' && { transformRequestBody: renameMaxTokens }),
    });
  }
}

/** OpenAI's newer models refuse `max_tokens`. */
function renameMaxTokens({ max_tokens, ...body }: Record<string, unknown>): Record<string, unknown> {
  return max_tokens === undefined ? body : { ...body, max_completion_tokens: max_tokens };
}

interface SdkUsage {
  inputTokens: { total: number | undefined };
  outputTokens: { total: number | undefined; reasoning: number | undefined };
}

function usageOf({ inputTokens, outputTokens }: SdkUsage): LlmUsage {
  return {
    inputTokens: countOf(inputTokens.total) ?? 0,
    outputTokens: countOf(outputTokens.total) ?? 0,
    reasoningTokens: countOf(outputTokens.reasoning) ?? 0,
    reported: countOf(outputTokens.total) !== undefined,
  };
}

/** The number, if it can be a number of tokens; a Prometheus counter would throw on a negative one. */
function countOf(tokens: number | undefined): number | undefined {
  return Number.isSafeInteger(tokens) && (tokens as number) >= 0 ? tokens : undefined;
}
