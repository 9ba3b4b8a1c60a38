// Retry and circuit breaker around a model. Both act only until the first content: an answer that has begun is never
// silently started again. Calls of tools come at the end of an answer, so one that breaks off while it calls is asked for again: nobody
// has seen anything of it, and nothing was done.

import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhen,
  type IPolicy,
  retry,
  wrap,
} from 'cockatiel';
import { orAbort } from '../or-abort.ts';
import { LlmError, type LlmErrorCode } from './failure.ts';
import type { LlmEvent, LlmModel, LlmRequest, LlmTarget } from './model.ts';

export interface Resilience {
  /** Further attempts after the first; 0 turns retrying off. */
  retries: number;
  /** Failures in a row that open the breaker. */
  breakAfter: number;
  /** Milliseconds an open breaker waits before it lets one call through. */
  pauseMs: number;
}

/** If a service asks for a longer pause than this, the call fails at once. */
const LONGEST_RETRY_AFTER_MS = 10_000;
const FIRST_BACKOFF_MS = 250;

/** Failures that come quickly. After a timeout no call is repeated, because the client has waited long enough. */
const RETRIED: ReadonlySet<LlmErrorCode> = new Set([
  'llm_rate_limited',
  'llm_unavailable',
  'llm_unreachable',
  'llm_interrupted',
  'llm_truncated',
  'llm_stream_error',
]);

/** Failures that are the service's fault. A limited rate or a bad request is the caller's. */
const COUNTED: ReadonlySet<LlmErrorCode> = new Set([
  'llm_unavailable',
  'llm_unreachable',
  'llm_interrupted',
  'llm_no_first_content',
  'llm_stream_error',
]);

export type ResilienceNotice =
  | { kind: 'retry'; target: LlmTarget; code: LlmErrorCode; delayMs: number }
  | { kind: 'open' | 'closed'; target: LlmTarget };

export class ResilientModel implements LlmModel {
  readonly #inner: LlmModel;
  readonly #options: Resilience;
  readonly #notice: (notice: ResilienceNotice) => void;
  /** One for each service and model, so that a failing model does not block the others. */
  readonly #policies = new Map<string, IPolicy>();

  constructor(
    inner: LlmModel,
    options: Resilience,
    notice: (notice: ResilienceNotice) => void = () => undefined,
  ) {
    this.#inner = inner;
    this.#options = options;
    this.#notice = notice;
  }

  async *stream(request: LlmRequest, signal: AbortSignal): AsyncGenerator<LlmEvent, void, undefined> {
    const { first, rest } = await this.#open(request, signal);
    try {
      if (!first.done) yield first.value;
      yield* rest;
    } finally {
      await rest.return(); // needed if the reader stops at the first event, before `yield*`
    }
  }

  async #open(request: LlmRequest, signal: AbortSignal) {
    const opening = this.#policyOf(request.target).execute(async () => {
      if (signal.aborted) throw cancellation(signal);
      const rest = iterate(this.#inner.stream(request, signal));
      return { first: await rest.next(), rest };
    }, signal);
    try {
      return await orAbort(opening, signal); // the policy's own pauses ignore the signal
    } catch (error) {
      if (signal.aborted && error === signal.reason) throw cancellation(signal);
      if (error instanceof BrokenCircuitError) throw new LlmError('llm_circuit_open');
      throw error;
    }
  }

  #policyOf(target: LlmTarget): IPolicy {
    const key = JSON.stringify([target.baseUrl, target.model]);
    let policy = this.#policies.get(key);
    if (!policy) {
      policy = this.#createPolicy(target);
      this.#policies.set(key, policy);
    }
    return policy;
  }

  #createPolicy(target: LlmTarget): IPolicy {
    const { retries, breakAfter, pauseMs } = this.#options;
    const breaker = circuitBreaker(
      handleWhen((error) => error instanceof LlmError && COUNTED.has(error.code)),
      { breaker: new ConsecutiveBreaker(breakAfter), halfOpenAfter: pauseMs },
    );
    breaker.onBreak(() => this.#notice({ kind: 'open', target }));
    breaker.onReset(() => this.#notice({ kind: 'closed', target }));
    const again = retry(handleWhen(isWorthRetrying), {
      maxAttempts: retries,
      backoff: new DelegateBackoff(({ attempt, result }) =>
        pauseBefore(attempt, 'error' in result && result.error),
      ),
    });
    again.onRetry((event) => {
      if ('error' in event && event.error instanceof LlmError)
        this.#notice({ kind: 'retry', target, code: event.error.code, delayMs: event.delay });
    });
    return wrap(again, breaker);
  }
}

function isWorthRetrying(error: unknown): boolean {
  return (
    error instanceof LlmError &&
    RETRIED.has(error.code) &&
    (error.retryAfterMs ?? 0) <= LONGEST_RETRY_AFTER_MS
  );
}

/**
 * The pause that the service asked for. Otherwise a pause that doubles each time, plus up to half of it at random, so that callers do
 * not repeat in step.
 */
function pauseBefore(attempt: number, error: unknown): number {
  const asked = error instanceof LlmError ? error.retryAfterMs : undefined;
  return asked ?? FIRST_BACKOFF_MS * 2 ** (attempt - 1) * (1 + Math.random() / 2);
}

function cancellation(signal: AbortSignal): LlmError {
  return signal.reason instanceof LlmError ? signal.reason : new LlmError('cancelled');
}

async function* iterate(stream: AsyncIterable<LlmEvent>): AsyncGenerator<LlmEvent, void, undefined> {
  yield* stream;
}
