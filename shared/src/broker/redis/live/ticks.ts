// Counts the ticks that a process sends to itself through Redis. When a tick comes back, all subscriptions that Redis had when it was
// sent are in force, and every entry up to the position in the tick has arrived.

import type { Position } from '../../position.ts';
import type { Interest } from '../../routes.ts';

/** Beats of this process, one a second, without a tick: the server is away, even if its connections are open. */
const SILENT_BEATS = 4;
export const SILENT = 'connected, but it does not answer';

/** In the place of a lease. */
const NOT_KNOWN = '?';

/** A tick, as `tick.lua` publishes it. */
export interface Tick {
  /** The log's head when it was sent. */
  position: Position;
  token: string;
  /** The lease of the process that adopts foreign messages; null if there is none, undefined if the tick could not look. */
  holder: string | null | undefined;
  count: number;
  /** When it was sent, epoch ms by the log's clock. */
  time: number;
  /** The server process that the log is written on. */
  runId: string;
}

/** A tick of a process whose Redis takes no writes, so that `tick.lua` cannot run. */
export function tickWithoutLease(head: string, token: string, count: number, runId: string): string {
  return `${head} ${token} ${NOT_KNOWN} ${count} 0 ${runId}`;
}

/** null for anything that is no tick. */
export function parseTick(data: Buffer): Tick | null {
  const [n, token, holder, text, ms, runId] = data.toString('latin1').split(' ');
  const [position, count, time] = [Number(n), Number(text), Number(ms)];
  if (![position, count, time].every(Number.isSafeInteger)) return null;
  if (token === undefined || holder === undefined || runId === undefined) return null;
  return {
    position,
    token,
    holder: holder === '-' ? null : holder === NOT_KNOWN ? undefined : holder,
    count,
    time,
    runId,
  };
}

interface Waiting {
  tick: number;
  interest: Interest;
  resolve: (from: Position) => void;
  reject: (error: Error) => void;
  /** Beats that it has waited. */
  beats: number;
}

export class Ticks {
  #sent = 0;
  #returned = 0;
  /** Beats since a tick came back. A clock would blame the server for the time in which this process was busy and heard nothing. */
  #beats = 0;
  #waiting: Waiting[] = [];

  /** The number to send with the next tick. */
  nextNumber(): number {
    return ++this.#sent;
  }

  /** The silence is measured from now on, because a new connection has just begun. */
  resetSilence(): void {
    this.#beats = 0;
  }

  /** A second has passed in which this process could hear. Who has waited for too many fails. */
  beat(): void {
    this.#beats++;
    const late = this.#waiting.filter((one) => ++one.beats >= SILENT_BEATS);
    this.#waiting = this.#waiting.filter((one) => !late.includes(one));
    for (const { reject } of late) reject(new Error(SILENT));
  }

  get isSilent(): boolean {
    return this.#beats >= SILENT_BEATS;
  }

  hasReturned(count: number): boolean {
    return count <= this.#returned;
  }

  /** Resolves when a tick that is sent after this call has come back, with the position after which `interest` gets entries. */
  waitForNext(interest: Interest): Promise<Position> {
    const { promise, resolve, reject } = Promise.withResolvers<Position>();
    this.#waiting.push({ tick: this.#sent + 1, interest, resolve, reject, beats: 0 });
    return promise;
  }

  /**
   * Calls `settle` for each interest that waited for this tick. It does so before it returns, because the next message may be an
   * entry in the same chunk of data, and the interest must already get that.
   */
  onReturned(count: number, settle: (interest: Interest) => Position): void {
    this.#returned = Math.max(this.#returned, count);
    this.#beats = 0;
    const settled = this.#waiting.filter(({ tick }) => tick <= count);
    if (settled.length === 0) return;
    this.#waiting = this.#waiting.filter(({ tick }) => tick > count);
    for (const { interest, resolve } of settled) resolve(settle(interest));
  }

  /** All waiting interests fail with `error`. */
  rejectWaiting(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }
}
