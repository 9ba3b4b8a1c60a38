// How far the log's numbers can have come by now: what claims to lie beyond was not written by the log.

import type { LogState } from '../../log-state.ts';
import type { Position } from '../../position.ts';

/** For clocks that are set and for the leap over a restart; a forged number can mute a channel for no longer. */
const SLACK_US = 120_000_000;

export class ClockBound {
  #known: Position = 0;
  #knownAt = 0;

  /** `state` was asked for at `askedAt`, by this process's monotonic clock in ms. */
  calibrate({ head, now }: LogState, askedAt: number): void {
    this.#known = Math.max(head, now);
    this.#knownAt = askedAt;
  }

  /** A number runs ahead of the log's clock only by what it was ahead when the log was last asked. */
  exceeds(position: Position): boolean {
    return position > this.#known + (performance.now() - this.#knownAt) * 1_000 + SLACK_US;
  }
}
