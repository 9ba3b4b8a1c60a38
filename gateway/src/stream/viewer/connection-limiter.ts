// How many viewers there may be at a time, in all and of one client address.

export interface ConnectionLimits {
  /** Connections at a time; 0 for no limit. */
  maxConnections: number;
  /** Connections of one client address at a time; 0 for no limit. */
  maxPerAddress: number;
}

export type OverLimit = 'over_limit' | 'over_address_limit';
/** Also where several processes share the limits, and the one that keeps them does not answer. */
export type NoPlace = OverLimit | 'primary_unavailable';

/** Takes a place for a viewer, or says why there is none; a place taken is given back with `leave`. */
export interface ConnectionLimiter {
  acquire(address: string): Promise<NoPlace | undefined> | NoPlace | undefined;
  release(address: string): void;
}

export class LocalConnectionLimiter implements ConnectionLimiter {
  readonly #limits: ConnectionLimits;
  readonly #perAddress = new Map<string, number>();
  #taken = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  acquire(address: string): OverLimit | undefined {
    const { maxConnections, maxPerAddress } = this.#limits;
    const here = this.#perAddress.get(address) ?? 0;
    if (maxConnections > 0 && this.#taken >= maxConnections) return 'over_limit';
    if (maxPerAddress > 0 && here >= maxPerAddress) return 'over_address_limit';
    this.#taken++;
    this.#perAddress.set(address, here + 1);
    return undefined;
  }

  release(address: string): void {
    this.#taken--;
    const here = (this.#perAddress.get(address) ?? 0) - 1;
    if (here > 0) this.#perAddress.set(address, here);
    else this.#perAddress.delete(address);
  }
}
