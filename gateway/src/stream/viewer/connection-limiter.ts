// How many connections there may be at a time: in all, and from one client address.

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
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  acquire(address: string): OverLimit | undefined {
    const { maxConnections, maxPerAddress } = this.#limits;
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (maxConnections > 0 && this.#total >= maxConnections) return 'over_limit';
    if (maxPerAddress > 0 && ofAddress >= maxPerAddress) return 'over_address_limit';
    this.#total++;
    this.#perAddress.set(address, ofAddress + 1);
    return undefined;
  }

  release(address: string): void {
    this.#total--;
    const left = (this.#perAddress.get(address) ?? 0) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }
}
