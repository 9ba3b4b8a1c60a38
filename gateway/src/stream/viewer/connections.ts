// All SSE responses of this process: admits viewers within the limits, closes those that hang or are over their time, and
// ends them all when the gateway stops.

import type { Socket } from 'node:net';
import type { ByeCode } from '@llm-streamer/shared/stream-events.ts';
import type { Principal } from '../../auth/principal.ts';
import type { PrincipalStreams, RightsLoss } from '../../auth/rights/rights-watch.ts';
import type { Hub } from '../live/hub.ts';
import { controlFrame } from '../wire/frame.ts';
import type { Connection } from './connection.ts';
import type { ConnectionLimiter, NoPlace } from './connection-limiter.ts';
import { Slot } from './slot.ts';

export interface ConnectionTimes {
  /** Milliseconds that a socket may take nothing before it is closed; 0: without limit. */
  stallMs: number;
  /** Milliseconds that a connection may last, less up to a fifth by chance; 0: without limit. */
  lifetimeMs: number;
  /** Milliseconds that a client is asked to wait before it reconnects. */
  retryMs: number;
}

export type Refusal = NoPlace | 'shutdown';

/** Why a stream ends, and what its viewer can do: the `code` and the `message` of `bye`. */
export const CLOSE_REASONS = {
  shutdown: 'the gateway is stopping; reconnect to another',
  lifetime: 'the connection reached its maximum age; reconnect',
  over_limit: 'too many connections; wait and reconnect',
  over_address_limit: 'too many connections from your address; close some',
  too_many_views: 'too many different queries at a time; wait and reconnect',
  primary_unavailable: 'the gateway’s first process does not answer; wait and reconnect',
  too_many_patterns: 'too many different patterns at a time; ask for fewer, or wait and reconnect',
  not_ready: 'the log cannot be reached; wait and reconnect',
  session_ended: 'you have signed out, or this session was ended; sign in again',
  revoked: 'this person or key may not come in any more',
  expired: 'the time of this session, key or token is over; sign in again, or get a new one',
  access_changed: 'your rights have changed; reconnect',
  channels_forbidden: 'Redis does not let the gateway listen to these channels; ask for others',
} as const satisfies Record<ByeCode, string>;

const SWEEP_MS = 1_000;
/** How long a viewer whose stream has ended may take for the last bytes. */
const DRAIN_MS = 2_000;
/** The same where his rights have ended: what still waits for him was written before, but must not reach him much later. */
const LAST_BYTES_MS = 1_000;

export class Connections implements PrincipalStreams {
  readonly #hub: Hub;
  readonly #limiter: ConnectionLimiter;
  readonly #times: ConnectionTimes;
  readonly #connections = new Set<Connection>();
  readonly #sweeper: NodeJS.Timeout;
  #closing = false;
  #onEmpty: (() => void) | undefined;
  /** Totals since the start. */
  readonly totals = { connected: 0, resumed: 0, resumedWithGap: 0, refused: 0, stalled: 0 };

  constructor(hub: Hub, limiter: ConnectionLimiter, times: ConnectionTimes) {
    this.#hub = hub;
    this.#limiter = limiter;
    this.#times = times;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  get closing(): boolean {
    return this.#closing;
  }

  get size(): number {
    return this.#connections.size;
  }

  get lagging(): number {
    let count = 0;
    for (const { state } of this.#connections) if (state === 'lagging') count++;
    return count;
  }

  /**
   * A slot for one more viewer from `address`, or why there is none. The caller releases it, unless it goes with a connection
   * to `addConnection`.
   */
  async admit(address: string, principal: Principal): Promise<Slot | Refusal> {
    if (this.#closing) return 'shutdown';
    const refusal = await this.#limiter.acquire(address);
    if (refusal !== undefined) return refusal;
    if (!this.#closing) return new Slot(this.#hub, this.#limiter, address, principal);
    this.#limiter.release(address);
    return 'shutdown';
  }

  /** From now on the connection's slot is released when its socket closes. */
  addConnection(connection: Connection): void {
    const { lifetimeMs } = this.#times;
    connection.endsAt = connection.slot.principal.expires;
    if (lifetimeMs > 0)
      connection.endsAt = Math.min(connection.endsAt, Date.now() + lifetimeMs * (1 - Math.random() / 5));
    this.#connections.add(connection);
    this.totals.connected++;
    const socket = connection.socket as ViewerSocket;
    socket[CONNECTION] = connection;
    socket[CONNECTIONS] = this;
    socket.on('close', onSocketClose);
  }

  /** The last frame of a stream: why it ends, and when to come back. The time is jittered, so that clients do not come at once. */
  closeFrame(code: ByeCode, message: string = CLOSE_REASONS[code]): Buffer {
    const retry = Math.round(this.#times.retryMs * (0.5 + Math.random()));
    return controlFrame('bye', null, { code, message, retry }, retry);
  }

  /** Ends a stream; a client that does not take the last bytes within two seconds is cut off. */
  disconnect(connection: Connection, code: ByeCode): void {
    connection.endsAt = Date.now() + DRAIN_MS;
    connection.end(this.closeFrame(code));
  }

  *principals(): Iterable<Principal> {
    for (const { slot } of this.#connections) yield slot.principal;
  }

  endStreams(lossOf: (principal: Principal) => RightsLoss | undefined): void {
    const ended: Connection[] = [];
    for (const connection of this.#connections) {
      const code = connection.closed ? undefined : lossOf(connection.slot.principal);
      if (code === undefined) continue;
      this.disconnect(connection, code);
      ended.push(connection);
    }
    if (ended.length === 0) return;
    setTimeout(() => {
      for (const { socket } of ended) socket.destroy();
    }, LAST_BYTES_MS).unref();
  }

  /** Ends all streams and admits no more. Resolves when all sockets are closed, two seconds later at most. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#sweeper);
    for (const connection of this.#connections) this.disconnect(connection, 'shutdown');
    if (this.#connections.size === 0) return;
    const late = setTimeout(() => {
      for (const { socket } of this.#connections) socket.destroy();
    }, DRAIN_MS);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    clearTimeout(late);
  }

  removeConnection(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    connection.detach();
    connection.slot.release();
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #sweep(): void {
    const now = Date.now();
    const { stallMs } = this.#times;
    for (const connection of this.#connections) {
      if (connection.closed) {
        if (now > connection.endsAt) connection.socket.destroy();
      } else if (stallMs > 0 && connection.stalledSince > 0 && now - connection.stalledSince > stallMs) {
        this.totals.stalled++;
        connection.socket.destroy();
      } else if (now > connection.endsAt) {
        this.disconnect(connection, now > connection.slot.principal.expires ? 'expired' : 'lifetime');
      }
    }
  }
}

const CONNECTION = Symbol('connection');
const CONNECTIONS = Symbol('connections');
type ViewerSocket = Socket & { [CONNECTION]?: Connection; [CONNECTIONS]?: Connections };

/** One function for all sockets: a closure for each would take memory that ten thousand idle viewers do not need. */
function onSocketClose(this: ViewerSocket): void {
  if (this[CONNECTION]) this[CONNECTIONS]?.removeConnection(this[CONNECTION]);
}
