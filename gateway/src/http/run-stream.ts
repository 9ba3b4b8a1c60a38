// Sends a run as an SSE response. The response reads the run's channel, so a client can resume
// by Last-Event-ID, and the run goes on when a client disconnects.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Broker, PageItem } from '@llm-streamer/shared/broker/broker.ts';
import type { Position } from '@llm-streamer/shared/broker/position.ts';
import { BrokerUnavailable } from '@llm-streamer/shared/errors.ts';
import { type OwnedKey, ownedKey, runChannel } from '@llm-streamer/shared/ownership.ts';
import { settledWithin } from '@llm-streamer/shared/settled-within.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';
import type { FastifyReply } from 'fastify';
import type { Principal } from '../auth/principal.ts';
import type { PrincipalStreams, RightsLoss } from '../auth/rights/rights-watch.ts';
import { followChannel, readHistory } from '../runs/run-reader.ts';
import type { RunRecord } from '../runs/store/run-store.ts';
import type { ConnectionLimiter } from '../stream/viewer/connection-limiter.ts';
import { CLOSE_REASONS, type Refusal } from '../stream/viewer/connections.ts';
import { claimSocket } from './claim-socket.ts';
import type { RightsChanges } from './plugins/rights-mark.ts';
import { EventWire, type RunWire, type WireOutput } from './run-wire.ts';
import { needsStream, refusalOf, SSE_HEADERS } from './sse-response.ts';

const HEADERS = {
  ...SSE_HEADERS,
  // While the server closes it waits for connections that are idle; without this, the ended stream would leave one.
  connection: 'close',
};

const SWEEP_MS = 1_000;
/** How long a client whose rights have ended may take for the last bytes. */
const LAST_BYTES_MS = 1_000;

/** Time for clients to receive the last event of runs that end with the gateway. */
const DRAIN_MS = 300;

export interface RunStreamOptions {
  broker: Broker;
  /** Finds the run's record; undefined if there is none any more. */
  find(key: OwnedKey): Promise<RunRecord | undefined>;
  /** Milliseconds between two comments on a quiet stream. Each time it also checks that the run still exists. */
  keepAliveMs: number;
  /** Milliseconds a client waits before it reconnects. */
  retryMs: number;
  /** Milliseconds that a socket may accept nothing before it is closed; 0 never closes one. */
  stallMs: number;
  limiter: ConnectionLimiter;
  /** Absent where nobody has rights of his own. */
  rights?: RightsChanges | undefined;
}

interface OpenStream {
  principal: Principal;
  written: Promise<void>;
  /** Sends `bye`, and closes the socket once that is written. */
  end(code: RightsLoss | 'expired'): void;
}

export class RunStreams implements PrincipalStreams {
  readonly #options: RunStreamOptions;
  readonly #open = new Map<AbortController, OpenStream>();
  readonly #sweeper: NodeJS.Timeout;
  #closing = false;

  constructor(options: RunStreamOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#endExpired(), SWEEP_MS).unref();
  }

  /**
   * Answers with the events after the position `after`, in the form of `wire`, live while the run is running. If the run has ended and no event follows,
   * the answer is 204, and an EventSource does not reconnect. @throws HttpError with what the limiter refuses, and for a run that has
   * ended BrokerUnavailable, before the answer has begun. A running run is subscribed to after that: then a failure ends the stream.
   */
  async send(
    reply: FastifyReply,
    run: RunRecord,
    after: Position,
    wire: RunWire = new EventWire(run),
  ): Promise<FastifyReply> {
    const { broker, limiter, rights } = this.#options;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const channel = runChannel(ownedKey(run.owner, run.id));
    const items =
      run.state === 'running'
        ? followChannel(broker, channel, after, gone.signal)
        : readHistory(broker, channel, after, await broker.head());
    // The first entry of a running run may take long. The headers do not wait for it.
    const first = run.state === 'running' ? undefined : await items.next();
    if (first?.done) return reply.code(204).send();
    const { ip } = reply.request;
    const refusal = await limiter.acquire(ip);
    if (refusal !== undefined) {
      await items.return();
      return this.refuse(reply, refusal);
    }
    const claimed = await claimSocket(reply.request.raw, reply.raw);
    const { principal, rightsMark } = reply.request;
    if (claimed !== undefined && rights?.changedSince(rightsMark, principal)) {
      limiter.release(ip);
      await items.return();
      return this.refuse(reply, 'access_changed');
    }
    reply.hijack();
    if (claimed === undefined) {
      limiter.release(ip);
      await items.return();
      return reply;
    }
    const written = this.#write(reply, run, items, first?.value, gone, wire)
      .catch((error) => reply.log.error({ err: error }, 'a run stream failed'))
      .finally(() => {
        this.#open.delete(gone);
        limiter.release(ip);
      });
    this.#open.set(gone, { principal, written, end: (code) => endStream(reply.raw, code, gone) });
    return reply;
  }

  /** The answer while the gateway is stopping; undefined while it is not. */
  refuseIfClosing(reply: FastifyReply): FastifyReply | undefined {
    return this.#closing ? this.refuse(reply, 'shutdown') : undefined;
  }

  /** Ends all streams. Runs of this gateway have just ended, and their clients get the last event; others resume on another gateway. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#sweeper);
    const written = Array.from(this.#open.values(), (open) => open.written);
    await settledWithin(Promise.all(written), DRAIN_MS);
    for (const gone of this.#open.keys()) gone.abort();
  }

  *principals(): Iterable<Principal> {
    for (const { principal } of this.#open.values()) yield principal;
  }

  endStreams(lossOf: (principal: Principal) => RightsLoss | undefined): void {
    for (const { principal, end } of this.#open.values()) {
      const code = lossOf(principal);
      if (code !== undefined) end(code);
    }
  }

  #endExpired(): void {
    const now = Date.now();
    for (const { principal, end } of this.#open.values()) if (now > principal.expires) end('expired');
  }

  /** Answers without a stream of the run. @throws HttpError for a client that is not an EventSource */
  refuse(reply: FastifyReply, code: Refusal | 'not_ready' | 'access_changed', cause?: Error): FastifyReply {
    if (!needsStream(reply.request)) throw refusalOf(code, cause);
    reply.hijack();
    this.#begin(reply);
    reply.raw.end();
    return reply;
  }

  #begin(reply: FastifyReply, headers: Readonly<Record<string, string>> = {}): void {
    const before = reply.getHeaders() as Record<string, string>;
    reply.raw.writeHead(200, { ...before, ...HEADERS, ...headers });
    reply.raw.write(sseFrame({ retry: this.#options.retryMs }));
  }

  async #write(
    reply: FastifyReply,
    run: RunRecord,
    items: AsyncGenerator<PageItem, void, undefined>,
    first: PageItem | undefined,
    gone: AbortController,
    wire: RunWire,
  ): Promise<void> {
    const { raw } = reply;
    const { owner, id } = run;
    const { keepAliveMs, stallMs } = this.#options;
    let lost = false;
    let quiet = true;
    // If the log was wiped, no entry follows, not even the end. Without this check the client would wait without end.
    const checkRun = async () => {
      if (await this.#exists(ownedKey(owner, id))) return;
      lost = true;
      gone.abort();
    };
    this.#begin(reply, wire.headers);
    // While the socket does not drain, no comment is added. The bytes that wait are a sign of life themselves.
    const alive = setInterval(() => {
      if (raw.writableLength === 0 && !raw.destroyed) raw.write(': ping\n\n');
      if (quiet) checkRun().catch((error) => reply.log.error({ err: error }, 'a run stream failed'));
      quiet = true;
    }, keepAliveMs);
    try {
      if (first && write(raw, wire.next(first))) return;
      for await (const item of items) {
        if (raw.writableNeedDrain && !(await drained(raw, gone.signal, stallMs))) return void raw.destroy();
        if (gone.signal.aborted) break; // `bye` was the last event
        if (write(raw, wire.next(item))) return;
        quiet = false;
        if (item.gap?.reason === 'reset') await checkRun();
      }
      if (lost && !raw.destroyed) raw.write(wire.lost());
    } catch (error) {
      // The stream ends without a final event, so the client knows that it has to resume.
      if (!(error instanceof BrokerUnavailable) && !gone.signal.aborted)
        reply.log.error({ err: error }, 'a run stream failed');
    } finally {
      clearInterval(alive);
      await items.return();
      raw.end();
    }
  }

  /** True also if the log cannot be asked. */
  async #exists(key: OwnedKey): Promise<boolean> {
    try {
      return (await this.#options.find(key)) !== undefined;
    } catch {
      return true; // the log cannot be reached; the next check may succeed
    }
  }
}

/** The run goes on. What waits in the socket was written before, and does not reach the client much later. */
function endStream(raw: ServerResponse, code: RightsLoss | 'expired', gone: AbortController): void {
  if (gone.signal.aborted) return;
  const { socket } = raw;
  raw.write(sseFrame({ event: 'bye', data: JSON.stringify({ code, message: CLOSE_REASONS[code] }) }));
  gone.abort();
  setTimeout(() => socket?.destroy(), LAST_BYTES_MS).unref();
}

/** Returns true after the stream's last event. */
function write(raw: ServerResponse, { text, isLast }: WireOutput): boolean {
  if (text !== '') raw.write(text);
  return isLast;
}

/** Resolves with false if the socket accepts nothing for `stallMs`, or is gone. */
async function drained(raw: ServerResponse, gone: AbortSignal, stallMs: number): Promise<boolean> {
  const late = stallMs > 0 ? [AbortSignal.timeout(stallMs)] : [];
  try {
    await once(raw, 'drain', { signal: AbortSignal.any([gone, ...late]) });
    return true;
  } catch {
    return false; // one of the signals has aborted; there is no other error here
  }
}
