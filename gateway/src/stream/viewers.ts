// All SSE responses of this process: who may come, who is there, who hangs, and how all are sent away.

import type { Socket } from 'node:net';
import type { Connection } from './connection.ts';
import { controlFrame } from './frame.ts';
import type { Hub } from './hub.ts';

export interface ViewerLimits {
  /** Connections at a time; 0 for no limit. */
  maxConnections: number;
  /** Connections of one client address at a time; 0 for no limit. */
  maxPerAddress: number;
  /** Milliseconds that a socket may take nothing before it is closed; 0 for ever. */
  stallMs: number;
  /** Milliseconds a connection may last, jittered down by a fifth at most; 0 for ever. */
  lifetimeMs: number;
  /** Milliseconds a client is told to wait before it reconnects. */
  retryMs: number;
}

export type Refusal = 'over_limit' | 'over_address_limit' | 'shutdown';

/** Why a stream ends, and what its viewer should make of it. */
export const GOODBYES = {
  shutdown: 'the gateway is stopping; reconnect to another',
  lifetime: 'the connection reached its maximum age; reconnect',
  over_limit: 'too many connections; wait and reconnect',
  over_address_limit: 'too many connections from your address; close some',
  too_many_views: 'too many different queries at a time; wait and reconnect',
  not_ready: 'the log cannot be reached; wait and reconnect',
} as const;
export type Goodbye = keyof typeof GOODBYES;

const SWEEP_MS = 1_000;
/** A viewer that has been sent away has this long to take the last bytes. */
const FAREWELL_MS = 2_000;

interface Place {
  address: string;
  ends: number;
}

export class Viewers {
  readonly #hub: Hub;
  readonly #limits: ViewerLimits;
  readonly #connections = new Map<Connection, Place>();
  readonly #perAddress = new Map<string, number>();
  readonly #sweeper: NodeJS.Timeout;
  #closing = false;
  /** Totals since the start. */
  readonly totals = { connected: 0, resumed: 0, resumedWithGap: 0, refused: 0, stalled: 0 };

  constructor(hub: Hub, limits: ViewerLimits) {
    this.#hub = hub;
    this.#limits = limits;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  get size(): number {
    return this.#connections.size;
  }

  get lagging(): number {
    let count = 0;
    for (const { state } of this.#connections.keys()) if (state === 'lagging') count++;
    return count;
  }

  /** Why one more may not come from `address`; undefined where it may. */
  refusal(address: string): Refusal | undefined {
    const { maxConnections, maxPerAddress } = this.#limits;
    if (this.#closing) return 'shutdown';
    if (maxConnections > 0 && this.#connections.size >= maxConnections) return 'over_limit';
    const here = this.#perAddress.get(address) ?? 0;
    return maxPerAddress > 0 && here >= maxPerAddress ? 'over_address_limit' : undefined;
  }

  add(connection: Connection, address: string): void {
    const { lifetimeMs } = this.#limits;
    const ends =
      lifetimeMs > 0 ? Date.now() + lifetimeMs * (1 - Math.random() / 5) : Number.POSITIVE_INFINITY;
    this.#connections.set(connection, { address, ends });
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.totals.connected++;
    const socket = connection.socket as ViewerSocket;
    socket[CONNECTION] = connection;
    socket[VIEWERS] = this;
    socket.on('close', onSocketClose);
  }

  /** The last frame of a stream: why, and when to come back; jittered, so that many do not come at once. */
  goodbye(code: Goodbye): Buffer {
    const { retryMs } = this.#limits;
    const retry = Math.round(retryMs * (0.5 + Math.random()));
    return controlFrame('bye', null, { code, message: GOODBYES[code], retry }, retry);
  }

  /** Sends everybody away; nobody new may come. */
  close(): void {
    this.#closing = true;
    clearInterval(this.#sweeper);
    for (const connection of this.#connections.keys()) connection.end(this.goodbye('shutdown'));
    setTimeout(() => {
      for (const { socket } of this.#connections.keys()) socket.destroy();
    }, FAREWELL_MS).unref();
  }

  remove(connection: Connection): void {
    const place = this.#connections.get(connection);
    if (!place) return;
    this.#connections.delete(connection);
    const here = (this.#perAddress.get(place.address) ?? 0) - 1;
    if (here > 0) this.#perAddress.set(place.address, here);
    else this.#perAddress.delete(place.address);
    connection.leave();
    this.#hub.release(connection.view);
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
        place.ends = now + FAREWELL_MS;
        connection.end(this.goodbye('lifetime'));
      }
    }
  }
}

const CONNECTION = Symbol('connection');
const VIEWERS = Symbol('viewers');
type ViewerSocket = Socket & { [CONNECTION]?: Connection; [VIEWERS]?: Viewers };

/** One function for all sockets: a closure per viewer would cost memory that ten thousand idle ones do not need. */
function onSocketClose(this: ViewerSocket): void {
  if (this[CONNECTION]) this[VIEWERS]?.remove(this[CONNECTION]);
}
