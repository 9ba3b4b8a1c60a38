// What passes between the gateway and one MCP server in one exchange: a `fetch` for the MCP client that bounds what the server can make of
// it. The client would take an answer of any size, follow what the server asks for as often as it asks, and wait without end.

import { serverAnswer } from './server-answer.ts';
import { networkFailure, statusFailure, ToolFailure } from './tool-failure.ts';

/** Requests of one exchange: two or three to begin, pages of a list, and the end of a session. */
const MAX_REQUESTS = 24;

export interface BoundedFetchOptions {
  fetch: typeof globalThis.fetch;
  /** What the server is asked with; no answer may hold it. */
  secret?: string | undefined;
  /** Goes into `_meta` of the call. */
  meta: Readonly<Record<string, unknown>>;
  /** Ends all requests. */
  signal: AbortSignal;
  /** Hears of what makes an answer impossible; the client would swallow some of it and wait on. */
  onBroken: (failure: ToolFailure) => void;
}

export class BoundedFetch {
  readonly #options: BoundedFetchOptions;
  #requests = 0;
  #hasCalled = false;

  constructor(options: BoundedFetchOptions) {
    this.#options = options;
  }

  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    // The client asks for a stream of notifications, and nobody here would read it.
    if (init.method === 'GET') return new Response(null, { status: 405 });
    try {
      return await this.#request(input, init);
    } catch (error) {
      // A body that breaks off because the time is over is no fault of its own.
      if (error instanceof ToolFailure && !this.#options.signal.aborted) this.#options.onBroken(error);
      throw error;
    }
  };

  async #request(input: string | URL | Request, init: RequestInit): Promise<Response> {
    if (++this.#requests > MAX_REQUESTS)
      throw new ToolFailure('tool_failed', { reason: 'it makes the gateway ask without end' });
    const signal = AbortSignal.any([this.#options.signal, ...(init.signal ? [init.signal] : [])]);
    const message = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
    const body = message === undefined ? null : JSON.stringify(this.#outgoing(message));
    let response: Response;
    try {
      response = await this.#options.fetch(input, { ...init, body, signal, redirect: 'manual' });
    } catch (error) {
      throw signal.aborted ? error : networkFailure(error);
    }
    const refusal = refusalOf(response.status);
    if (refusal === undefined) return serverAnswer(response, message?.id, this.#options.secret);
    response.body?.cancel().catch(() => undefined);
    throw refusal;
  }

  /** The protocol lets a server ask for a call once more. A call that is sent twice may do twice what it does. */
  #outgoing(message: Message): Message {
    if (message.method !== 'tools/call') return message;
    if (this.#hasCalled)
      throw new ToolFailure('tool_failed', { reason: 'it asked for a call a second time' });
    this.#hasCalled = true;
    const { params } = message;
    return { ...message, params: { ...params, _meta: { ...params?._meta, ...this.#options.meta } } };
  }
}

/** As the client writes it. */
interface Message {
  id?: number;
  method: string;
  params?: { _meta?: object };
}

function refusalOf(status: number): ToolFailure | undefined {
  if (status === 401 || status === 403) return statusFailure(status);
  if (status < 300 || status >= 400) return undefined;
  return new ToolFailure('tool_failed', { reason: 'it answers with a redirect; name its own address' });
}
