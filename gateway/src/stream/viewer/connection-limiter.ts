// How many connections there may be at a time: in all, and from one client address.

import { clientOf } from '../../client-of.ts';

export interface ConnectionLimits {
  /** Connections at a time; 0 for no limit. */
  maxConnections: number;
  /** Connections of one client address at a time; 0 for no limit. */
  maxPerAddress: number;
}

export type OverLimit = 'over_limit' | 'over_address_limit';
/** Workers share the limits of their primary process, so that a connection is also refused if the primary does not answer. */
export type NoPlace = OverLimit | 'primary_unavailable';

/** `acquire` counts one more connection, or says why there may be none. Each one that was counted is given back by `release`. */
export interface ConnectionLimiter {
  acquire(address: string): Promise<NoPlace | undefined> | NoPlace | undefined;
  release(address: string): void;
}

export class LocalConnectionLimiter implements ConnectionLimiter {
  readonly #limits: ConnectionLimits;
  readonly #perClient = new Map<string, number>();
  #taken = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  acquire(address: string): OverLimit | undefined {
    const { maxConnections, maxPerAddress } = this.#limits;
    const client = clientOf(address);
    const here = this.#perClient.get(client) ?? 0;
    if (maxConnections > 0 && this.#taken >= maxConnections) return 'over_limit';
    if (maxPerAddress > 0 && here >= maxPerAddress) return 'over_address_limit';
    this.#taken++;
    this.#perClient.set(client, here + 1);
    return undefined;
  }

  release(address: string): void {
    this.#taken--;
    const client = clientOf(address);
    const here = (this.#perClient.get(client) ?? 0) - 1;
    if (here > 0) this.#perClient.set(client, here);
    else this.#perClient.delete(client);
  }
}
