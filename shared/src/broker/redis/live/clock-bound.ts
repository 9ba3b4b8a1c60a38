// How far the log's positions can have come by now. A record with a position beyond that is forged, or the log's clock was set.

import type { LogState } from '../../log-state.ts';
import type { Position } from '../../position.ts';

/**
 * Two minutes, for clocks that are set and for the leap of positions after a rollback. A forged position hides the real entries of a
 * channel until the log has reached it, so a forgery works for two minutes at most.
 */
const SLACK_US = 120_000_000;

export class ClockBound {
  #known: Position = 0;
  #knownAt = 0;

  /** `state` was requested at `askedAt`, by the monotonic clock of this process in ms. */
  calibrate({ head, now }: LogState, askedAt: number): void {
    this.#known = Math.max(head, now);
    this.#knownAt = askedAt;
  }

  /**
   * The log's positions rise no faster than time does. For example, a minute after the log was at 5000 s, it is at 5060 s at most,
   * and with two minutes of slack a position of 5181 s exceeds the bound.
   */
  exceeds(position: Position): boolean {
    return position > this.#known + (performance.now() - this.#knownAt) * 1_000 + SLACK_US;
  }
}
