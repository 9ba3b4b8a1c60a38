// The door for OpenAI clients: takes a call, sends it to its service as it is, and gives back the answer as it comes. A log that is
// slow or away never delays or breaks a call.

import { randomBytes } from 'node:crypto';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { FairBudget } from '../fair-budget.ts';
import type { LlmService } from '../llm/target.ts';
import { CallEntries, type CallIdentity } from './call-entries.ts';
import { CallLog, type EntryBuffer } from './call-log.ts';
import { type CallRequest, inputOf, labelOf, readCall, withModel } from './call-request.ts';
import type { CallContent } from './config.ts';
import type { Dialect } from './dialects.ts';
import { type RawHeaders, toService } from './headers.ts';
import type { DoorMetrics } from './metrics.ts';
import { type CallResult, OpenCall } from './open-call.ts';
import type { Service } from './service.ts';
import type { Upstreams } from './upstreams.ts';

/** Calls at a time, in one process. A client may have half of what the others leave: a thousand, if it is alone. */
export const MAX_CALLS = 2_000;
/** Gateways that one call may come through. More is a gateway that calls itself. */
const MAX_HOPS = 3;

export interface DoorCall {
  method: string;
  /** What follows `/v1`. */
  path: string;
  /** With its `?`, or ''. */
  query: string;
  headers: RawHeaders;
  /** Gateways that the call has come through before this one. */
  hops: number;
  body: Buffer | undefined;
  /** Undefined where nothing is logged. */
  dialect: Dialect | undefined;
  owner: string;
  /** Who shares places with others, as in `sharerOf`. */
  sharer: string;
  source: string;
  /** Whether `Authorization` is the client's own key for the service. */
  ownKey: boolean;
  /** The client has a key of the gateway, too, so its own goes to the service even where the upstream has a key. */
  ownKeyWins: boolean;
}

export interface DoorOptions {
  upstreams: Upstreams;
  serviceOf(upstream: LlmService): Service;
  buffer: EntryBuffer;
  metrics: DoorMetrics;
  content: CallContent;
  entryBytes: number;
  stallMs: number;
  /** Headers in which a proxy names people, in lower case. */
  personal: readonly string[];
}

export class Door {
  readonly #options: DoorOptions;
  readonly #aborts = new Set<AbortController>();
  readonly #places = new FairBudget(MAX_CALLS);
  #onIdle: (() => void) | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Calls that go on. */
  get active(): number {
    return this.#aborts.size;
  }

  /**
   * Sends the call, and resolves when its answer has begun. The call must then be passed on.
   * @param gone aborts when the client goes away.
   * @throws CodedError for the client, or the reason of `gone`
   */
  async open(call: DoorCall, gone: AbortSignal): Promise<OpenCall> {
    if (call.hops >= MAX_HOPS)
      throw new CodedError('call_loop', 'this call has come through too many gateways: one calls itself');
    if (!this.#places.fits(call.sharer, 1))
      throw new CodedError('too_many_calls', 'too many calls at a time; try again');
    const abort = new AbortController();
    this.#aborts.add(abort);
    this.#places.take(call.sharer, 1);
    try {
      return await this.#send(call, abort, AbortSignal.any([gone, abort.signal]));
    } catch (error) {
      this.#ended(abort, call);
      throw error;
    }
  }

  /** Resolves when all calls have ended, and at the latest after `graceMs`, when those that still go on are cut off. */
  async close(graceMs: number): Promise<void> {
    if (this.#aborts.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const timer = setTimeout(() => {
      for (const abort of this.#aborts) abort.abort(new CodedError('shutdown', 'this gateway is stopping'));
    }, graceMs);
    await promise;
    clearTimeout(timer);
  }

  async #send(call: DoorCall, abort: AbortController, signal: AbortSignal): Promise<OpenCall> {
    const { method, path, query, headers, body, dialect } = call;
    const { serviceOf, upstreams, personal, metrics, stallMs } = this.#options;
    const request = body && (await readCall(body));
    const { upstream, model } = upstreams.choose(request?.model ?? '');
    const sent = body && (request && model !== request.model ? withModel(body, request, model) : [body]);
    const key = call.ownKeyWins ? undefined : upstream.key;
    const passed = toService(headers, {
      host: new URL(upstream.baseUrl).host,
      bodyBytes: sent?.reduce((bytes, { length }) => bytes + length, 0),
      hops: call.hops + 1,
      key,
      ownKey: call.ownKey,
      personal,
    });
    const answering = serviceOf(upstream).send(
      { upstream, method, path: `${path}${query}`, headers: passed, body: sent },
      signal,
    );
    const log = dialect && request && body && this.#log(call, dialect, request, upstream, body);
    const operation = dialect?.operation ?? 'list_models';
    try {
      const answer = await answering;
      const onEnded = ({ outcome, unread }: CallResult) => {
        if (unread) metrics.unread();
        metrics.ended(operation, outcome);
        this.#ended(abort, call);
      };
      return new OpenCall(answer, dialect, log, stallMs, onEnded);
    } catch (error) {
      log?.failed(signal.aborted ? 'cancelled' : 'llm_unreachable');
      metrics.ended(operation, signal.aborted ? 'cancelled' : 'failed');
      throw error;
    }
  }

  /** Begins to tell of the call. The service has it by now. */
  #log(call: DoorCall, dialect: Dialect, request: CallRequest, upstream: LlmService, body: Buffer): CallLog {
    const { content, buffer, entryBytes } = this.#options;
    const identity: CallIdentity = {
      id: `call-${randomBytes(9).toString('base64url')}`,
      owner: call.owner,
      source: call.source,
      operation: dialect.operation,
      model: labelOf(request.model),
      upstream,
      content,
    };
    const log = new CallLog(new CallEntries(identity, request), buffer, entryBytes);
    const { inputAt } = request;
    const unseen = { value: undefined, earlier: 0, bytes: inputAt ? inputAt.to - inputAt.from : 0 };
    if (content === 'off') log.started(unseen);
    else
      inputOf(body, request, Math.floor(entryBytes / 2))
        .then((input) => log.started(input))
        .catch(() => log.started(unseen));
    return log;
  }

  #ended(abort: AbortController, { sharer }: DoorCall): void {
    if (!this.#aborts.delete(abort)) return;
    this.#places.give(sharer, 1);
    if (this.#aborts.size === 0) this.#onIdle?.();
  }
}
