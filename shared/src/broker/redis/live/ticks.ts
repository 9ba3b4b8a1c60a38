// The ticks that a process sends itself through the log's server: the return of one proves that whatever was subscribed
// when it was sent is heard now, and that nothing before it is still under way.

import type { Position } from '../../position.ts';
import type { Interest } from '../../routes.ts';

/** As `tick.lua` publishes it. */
export interface Tick {
  /** The log's head when it was sent. */
  position: Position;
  token: string;
  /** Who adopts foreign messages; null for nobody. */
  holder: string | null;
  count: number;
}

/** null for what no tick of ours looks like. */
export function parseTick(data: Buffer): Tick | null {
  const [n, token, holder, text] = data.toString('latin1').split(' ');
  const [position, count] = [Number(n), Number(text)];
  if (!Number.isSafeInteger(position) || !Number.isSafeInteger(count)) return null;
  if (token === undefined || holder === undefined) return null;
  return { position, token, holder: holder === '-' ? null : holder, count };
}

interface Waiting {
  tick: number;
  interest: Interest;
  resolve: (from: Position) => void;
  reject: (error: Error) => void;
}

export class Ticks {
  #sent = 0;
  #returned = 0;
  /** When one last came back, by the monotonic clock. */
  #lastReturnedAt = 0;
  #waiting: Waiting[] = [];

  /** The number of the newest tick. */
  get sent(): number {
    return this.#sent;
  }

  /** The number to send with the next tick. */
  nextNumber(): number {
    return ++this.#sent;
  }

  /** Nothing is owed before now: a new connection has just been joined. */
  resetSilence(): void {
    this.#lastReturnedAt = performance.now();
  }

  /** Milliseconds since one came back. */
  get silentMs(): number {
    return performance.now() - this.#lastReturnedAt;
  }

  hasReturned(count: number): boolean {
    return count <= this.#returned;
  }

  /** Resolves with the position from which `interest` is served, when a tick that is yet to be sent has returned. */
  waitForNext(interest: Interest): Promise<Position> {
    const { promise, resolve, reject } = Promise.withResolvers<Position>();
    this.#waiting.push({ tick: this.#sent + 1, interest, resolve, reject });
    return promise;
  }

  /** Calls `settle` at once for each interest that waited for this tick: the next message may lie in the same chunk. */
  onReturned(count: number, settle: (interest: Interest) => Position): void {
    this.#returned = Math.max(this.#returned, count);
    this.#lastReturnedAt = performance.now();
    const settled = this.#waiting.filter(({ tick }) => tick <= count);
    if (settled.length === 0) return;
    this.#waiting = this.#waiting.filter(({ tick }) => tick > count);
    for (const { interest, resolve } of settled) resolve(settle(interest));
  }

  /** Nobody waits any longer. */
  rejectWaiting(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }
}
