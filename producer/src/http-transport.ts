// Publishes batches to a gateway: POST {GATEWAY_URL}/api/publish as NDJSON, with a stamp in its headers, so that repeating a
// batch is harmless. A failure is either final (CodedError: the batch is dropped), or the batch is repeated (BrokerUnavailable). Where
// the gateway does not take the key, or the key may not publish this, nothing that follows would be taken: `refused` says so.

import type { WriterStamp } from '@llm-streamer/shared/broker/broker.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { BrokerUnavailable, CodedError } from '@llm-streamer/shared/errors.ts';
import { EntryRefused, type PublishTransport } from '@llm-streamer/shared/publish/delivery.ts';
import { parseRetryAfter } from '@llm-streamer/shared/retry-after.ts';

/** How long to wait for an answer. */
const TIMEOUT_MS = 10_000;
/** Like 5xx, these statuses do not say that the batch is wrong. So the batch is repeated. */
const PASSING_STATUS = [408, 425, 429];

class GatewayBusy extends BrokerUnavailable {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

export class HttpTransport implements PublishTransport {
  readonly #endpoint: URL;
  readonly #key: string | undefined;
  readonly #refused = new AbortController();

  /** `gatewayUrl` may end in a base path. */
  constructor(gatewayUrl: string, key?: string) {
    this.#key = key;
    const base = new URL(gatewayUrl);
    base.pathname = `${base.pathname.replace(/\/+$/, '')}/`;
    this.#endpoint = new URL('api/publish', base);
  }

  /** Aborted, with a sentence as its reason, once the gateway has refused the key. */
  get refused(): AbortSignal {
    return this.#refused.signal;
  }

  async publish(drafts: readonly Draft[], stamp: WriterStamp): Promise<(string | null)[]> {
    const response = await this.#post(drafts.map(({ body }) => body).join('\n'), stamp);
    const text = await response.text().catch((cause: unknown) => {
      throw new BrokerUnavailable(`the gateway broke off its answer: ${reason(cause)}`, cause);
    });
    const answer = parse(text);
    if (response.ok) {
      if (Array.isArray(answer.ids)) return answer.ids as (string | null)[];
      throw new BrokerUnavailable(`${this.#endpoint.host} does not answer like a gateway`);
    }
    const status = response.status;
    const detail = typeof answer.detail === 'string' ? answer.detail : `HTTP ${status}`;
    if (status >= 500 || PASSING_STATUS.includes(status))
      throw new GatewayBusy(
        `the gateway answered: ${detail}`,
        parseRetryAfter(response.headers.get('retry-after'), Date.now()) ?? 0,
      );
    const code = typeof answer.code === 'string' ? answer.code : `http_${status}`;
    const field = typeof answer.field === 'string' ? answer.field : undefined;
    if (status === 401 || status === 403) {
      const advice = field?.endsWith('source') ? '; pipe and simulate take another by --source' : '';
      return this.#refuse(status, code, `${detail}${advice}`);
    }
    const message = `the gateway answered: ${detail}`;
    const line = /^line (\d+)(?:\.|$)/.exec(field ?? '')?.[1];
    if (field !== undefined && line !== undefined)
      throw new EntryRefused(code, message, field, Number(line) - 1);
    throw new CodedError(code, message, field === undefined ? {} : { field });
  }

  /** Never settles: the program ends with one line, and the batch's own refusal would be a second. */
  #refuse(status: number, code: string, detail: string): Promise<never> {
    const gateway = `the gateway at ${this.#endpoint.host}`;
    const why =
      status === 403
        ? `${gateway} does not let this publish: ${detail}`
        : this.#key === undefined
          ? `${gateway} asks for a key: set GATEWAY_KEY or GATEWAY_KEY_FILE`
          : `${gateway} does not take the key of GATEWAY_KEY or GATEWAY_KEY_FILE`;
    this.#refused.abort(`${why} (${code})`);
    return new Promise(() => undefined);
  }

  async #post(body: string, { writer, seq }: WriterStamp): Promise<Response> {
    try {
      return await fetch(this.#endpoint, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-ndjson',
          'publisher-id': writer,
          'publisher-seq': String(seq),
          ...(this.#key !== undefined && { authorization: `Bearer ${this.#key}` }),
        },
        body,
        // If a redirect were followed, the POST would become a GET. So a redirect refuses the batch, and its status is logged.
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw new BrokerUnavailable(`no gateway at ${this.#endpoint.host}: ${reason(error)}`, error);
    }
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // an error page of a proxy, for example: the status says enough
  }
}

/** Says why fetch failed. The reason is in the error's `cause`. Of undici's own errors (UND_ERR_…) the message says more than the code. */
function reason(error: unknown): string {
  const { cause, name, message } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  return (cause?.code?.startsWith('UND_') ? cause.message : cause?.code) ?? cause?.message ?? message;
}
