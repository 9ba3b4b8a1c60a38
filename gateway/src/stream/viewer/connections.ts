// All SSE responses of this process: who may come, who is there, who hangs, and how all are sent away.

import type { Socket } from 'node:net';
import type { Hub } from '../live/hub.ts';
import { controlFrame } from '../wire/frame.ts';
import type { Connection } from './connection.ts';
import type { ConnectionLimiter, NoPlace } from './connection-limiter.ts';

export interface ConnectionTimes {
  /** Milliseconds that a socket may take nothing before it is closed; 0 for ever. */
  stallMs: number;
  /** Milliseconds a connection may last, jittered down by a fifth at most; 0 for ever. */
  lifetimeMs: number;
  /** Milliseconds a client is told to wait before it reconnects. */
  retryMs: number;
}

export type Refusal = NoPlace | 'shutdown';

/** Why a stream ends, and what its viewer should make of it. */
export const CLOSE_REASONS = {
  shutdown: 'the gateway is stopping; reconnect to another',
  lifetime: 'the connection reached its maximum age; reconnect',
  over_limit: 'too many connections; wait and reconnect',
  over_address_limit: 'too many connections from your address; close some',
  too_many_views: 'too many different queries at a time; wait and reconnect',
  primary_unavailable: 'the gateway’s first process does not answer; wait and reconnect',
  too_many_patterns: 'too many different patterns at a time; ask for fewer, or wait and reconnect',
  not_ready: 'the log cannot be reached; wait and reconnect',
  channels_forbidden: 'Redis does not let the gateway listen to these channels; ask for others',
} as const;
export type CloseReason = keyof typeof CLOSE_REASONS;

const SWEEP_MS = 1_000;
/** A viewer that has been sent away has this long to take the last bytes. */
const DRAIN_MS = 2_000;

interface Place {
  address: string;
  ends: number;
}

export class Connections {
  readonly #hub: Hub;
  readonly #limiter: ConnectionLimiter;
  readonly #limits: ConnectionTimes;
  readonly #connections = new Map<Connection, Place>();
  readonly #sweeper: NodeJS.Timeout;
  #closing = false;
  #empty: (() => void) | undefined;
  /** Totals since the start. */
  readonly totals = { connected: 0, resumed: 0, resumedWithGap: 0, refused: 0, stalled: 0 };

  constructor(hub: Hub, admission: ConnectionLimiter, limits: ConnectionTimes) {
    this.#hub = hub;
    this.#limiter = admission;
    this.#limits = limits;
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
    for (const { state } of this.#connections.keys()) if (state === 'lagging') count++;
    return count;
  }

  /** Takes a place for one more from `address`, or says why there is none. It goes with the viewer, or by `dismiss`. */
  async admit(address: string): Promise<Refusal | undefined> {
    const refusal = this.#closing ? 'shutdown' : await this.#limiter.acquire(address);
    if (refusal !== undefined || !this.#closing) return refusal;
    this.#limiter.release(address);
    return 'shutdown';
  }

  /** Gives back the place of a viewer that has not come after all. */
  giveBack(address: string): void {
    this.#limiter.release(address);
  }

  addConnection(connection: Connection, address: string): void {
    const { lifetimeMs } = this.#limits;
    const ends =
      lifetimeMs > 0 ? Date.now() + lifetimeMs * (1 - Math.random() / 5) : Number.POSITIVE_INFINITY;
    this.#connections.set(connection, { address, ends });
    this.totals.connected++;
    const socket = connection.socket as ViewerSocket;
    socket[CONNECTION] = connection;
    socket[VIEWERS] = this;
    socket.on('close', onSocketClose);
  }

  /** The last frame of a stream: why, and when to come back; jittered, so that many do not come at once. */
  closeFrame(code: CloseReason, message: string = CLOSE_REASONS[code]): Buffer {
    const { retryMs } = this.#limits;
    const retry = Math.round(retryMs * (0.5 + Math.random()));
    return controlFrame('bye', null, { code, message, retry }, retry);
  }

  /** Ends a stream; a peer that does not take the last bytes is closed after a farewell. */
  disconnect(connection: Connection, code: CloseReason): void {
    const place = this.#connections.get(connection);
    if (place) place.ends = Date.now() + DRAIN_MS;
    connection.end(this.closeFrame(code));
  }

  /** Sends everybody away; nobody new may come. Resolves when all have gone, at the latest after a farewell. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#sweeper);
    for (const connection of this.#connections.keys()) this.disconnect(connection, 'shutdown');
    if (this.#connections.size === 0) return;
    const late = setTimeout(() => {
      for (const { socket } of this.#connections.keys()) socket.destroy();
    }, DRAIN_MS);
    await new Promise<void>((resolve) => {
      this.#empty = resolve;
    });
    clearTimeout(late);
  }

  removeConnection(connection: Connection): void {
    const place = this.#connections.get(connection);
    if (!place) return;
    this.#connections.delete(connection);
    this.#limiter.release(place.address);
    connection.leave();
    if (connection.compressed) this.#hub.releaseCompressed(connection.compressed);
    this.#hub.release(connection.view);
    if (this.#connections.size === 0) this.#empty?.();
  }

  #sweep(): void {
    const now = Date.now();
    const { stallMs } = this.#limits;
    for (const [connection, place] of this.#connections) {
      if (connection.closed) {
        if (now > place.ends) connection.socket.destroy();
      } else if (stallMs > 0 && connection.stalledSince > 0 && now - connection.stalledSince > stallMs) {
        this.totals.stalled++;
        connection.socket.destroy();
      } else if (now > place.ends) {
        this.disconnect(connection, 'lifetime');
      }
    }
  }
}

const CONNECTION = Symbol('connection');
const VIEWERS = Symbol('viewers');
type ViewerSocket = Socket & { [CONNECTION]?: Connection; [VIEWERS]?: Connections };

/** One function for all sockets: a closure per viewer would cost memory that ten thousand idle ones do not need. */
function onSocketClose(this: ViewerSocket): void {
  if (this[CONNECTION]) this[VIEWERS]?.removeConnection(this[CONNECTION]);
}
