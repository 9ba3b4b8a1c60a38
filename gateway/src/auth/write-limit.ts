// How many sessions, passwords and keys one principal may make in a while, on this process. Each of them is a change of rights, which
// every gateway must look at; without a limit one viewer could keep all of them busy with nothing else.

import type { Principal } from './principal.ts';
import { TooManyAttempts } from './throttle.ts';

const BURST = 10;
const EVERY_MS = 6_000;
/** The most principals that are remembered; with one more, the one that wrote first is forgotten. */
const MAX_PRINCIPALS = 10_000;

export class WriteLimit {
  readonly #now: () => number;
  /** When each would have made all that it has made, at one every `EVERY_MS`. */
  readonly #paidUp = new Map<string, number>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts one. @throws TooManyAttempts */
  take({ id }: Pick<Principal, 'id'>): void {
    const now = this.#now();
    const paidUp = Math.max(now, this.#paidUp.get(id) ?? 0);
    const waitMs = paidUp - now - (BURST - 1) * EVERY_MS;
    if (waitMs > 0) throw new TooManyAttempts(waitMs);
    this.#paidUp.delete(id);
    this.#paidUp.set(id, paidUp + EVERY_MS);
    if (this.#paidUp.size > MAX_PRINCIPALS) this.#paidUp.delete(this.#paidUp.keys().next().value as string);
  }
}
