// What passes between the gateway and one MCP server in one exchange: a `fetch` for the MCP client that bounds what the server can make of
// it. The client would take an answer of any size, follow what the server asks for as often as it asks, and wait without end.

import { networkFailure, statusFailure, ToolFailure } from './tool-failure.ts';

/** Of one answer, unpacked. A result of 20 MB would hold the event loop for the better part of a second. */
const MAX_ANSWER_BYTES = 262_144;
/** Requests of one exchange: two or three to begin, pages of a list, and the end of a session. */
const MAX_REQUESTS = 24;

export interface WireOptions {
  fetch: typeof globalThis.fetch;
  /** Goes into `_meta` of the call. */
  meta: Readonly<Record<string, unknown>>;
  /** Ends all requests. */
  signal: AbortSignal;
  /** Hears of what makes an answer impossible; the client would swallow some of it and wait on. */
  onBroken: (failure: ToolFailure) => void;
}

export class BoundedWire {
  readonly #options: WireOptions;
  #requests = 0;
  #hasCalled = false;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    // The client asks for a stream of notifications, and nobody here would read it.
    if (init.method === 'GET') return new Response(null, { status: 405 });
    try {
      return await this.#request(input, init);
    } catch (error) {
      if (!(error instanceof ToolFailure)) throw error;
      this.#options.onBroken(error);
      throw error;
    }
  };

  async #request(input: string | URL | Request, init: RequestInit): Promise<Response> {
    if (++this.#requests > MAX_REQUESTS)
      throw new ToolFailure('tool_failed', { reason: 'it makes the gateway ask without end' });
    const signal = AbortSignal.any([this.#options.signal, ...(init.signal ? [init.signal] : [])]);
    const body = typeof init.body === 'string' ? this.#outgoing(init.body) : null;
    let response: Response;
    try {
      response = await this.#options.fetch(input, { ...init, body, signal, redirect: 'manual' });
    } catch (error) {
      throw signal.aborted ? error : networkFailure(error);
    }
    const refusal = refusalOf(response.status);
    if (refusal === undefined) return this.#bounded(response);
    response.body?.cancel().catch(() => undefined);
    throw refusal;
  }

  /** The protocol lets a server ask for a call once more. A call that is sent twice may do twice what it does. */
  #outgoing(body: string): string {
    const message = JSON.parse(body);
    if (message.method !== 'tools/call') return body;
    if (this.#hasCalled)
      throw new ToolFailure('tool_failed', { reason: 'it asked for a call a second time' });
    this.#hasCalled = true;
    const { params } = message;
    return JSON.stringify({
      ...message,
      params: { ...params, _meta: { ...params._meta, ...this.#options.meta } },
    });
  }

  #bounded(response: Response): Response {
    if (response.body === null) return response;
    const reader = response.body.getReader();
    let bytes = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          bytes += value.byteLength;
          if (bytes > MAX_ANSWER_BYTES) throw new ToolFailure('tool_too_large');
          controller.enqueue(value);
        } catch (error) {
          const failure = error instanceof ToolFailure ? error : networkFailure(error);
          reader.cancel().catch(() => undefined);
          this.#options.onBroken(failure);
          controller.error(failure);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
    const { status, statusText, headers } = response;
    return new Response(body, { status, statusText, headers });
  }
}

function refusalOf(status: number): ToolFailure | undefined {
  if (status === 401 || status === 403) return statusFailure(status);
  if (status < 300 || status >= 400) return undefined;
  return new ToolFailure('tool_failed', { reason: 'it answers with a redirect; name its own address' });
}
