// Judges by the log's own numbers what a subscription brings: the next entry of its channel, one that was had before, a
// stranger's message, or the proof that history must be read first. Delivers what is next; knows no connection.

import type { LogState } from '../../log-state.ts';
import type { Position } from '../../position.ts';
import { hasToken, isWellFormed, LogRecord, parseHead, type RecordHead } from '../../record.ts';
import { deliverRecord, type Routes } from '../../routes.ts';
import { ClockBound } from './clock-bound.ts';

/** `handled`: delivered, had before, or forged. */
export type Judgement = 'handled' | 'foreign' | { readFrom: Position };

/** A log whose token or clock seems to have changed is looked at no more often than this; forgeries cost no more. */
const RELEARN_MS = 1_000;
type Doubt = 'token' | 'horizon';

export class Sequencer {
  /** Everything up to here has been delivered; 0 before the log's state was first learned. */
  deliveredUpTo: Position = 0;
  readonly #routes: Routes;
  readonly #isHeardOnce: (channel: string) => boolean;
  readonly #clockBound = new ClockBound();
  #token = '';
  /** Times that the log's history was begun to be read. */
  #historyReads = 0;
  readonly #relearnedAt: Record<Doubt, number> = { token: -Infinity, horizon: -Infinity };
  /** History is read on another connection: until a later tick comes back, what it held may still arrive here too. */
  #isInStep = false;
  #inStepAfter = 0;

  /** `heardOnce` tells whether messages of a channel come by one subscription only. */
  constructor(routes: Routes, heardOnce: (channel: string) => boolean) {
    this.#routes = routes;
    this.#isHeardOnce = heardOnce;
  }

  /** Kept with each message when it comes: tells whether history has been read since. */
  get historyReads(): number {
    return this.#historyReads;
  }

  /** Asks for the log's state; what came before now is either in the history up to its head, or nowhere. */
  async learnState(ask: () => Promise<LogState>): Promise<LogState> {
    this.#historyReads++;
    const askedAt = performance.now();
    const state = await ask();
    this.#token = state.token;
    this.#clockBound.calibrate(state, askedAt);
    return state;
  }

  /** History has been delivered up to `position`; the ticks up to `sentTicks` say nothing of what comes after it. */
  onCaughtUp(sentTicks: number): void {
    this.#isInStep = false;
    this.#inStepAfter = sentTicks;
  }

  /** `reads` as it was when the message came. */
  judgeMessage(channel: string, data: Buffer, reads: number): Judgement {
    const head = parseHead(data);
    if (head === null || !isWellFormed(data, channel)) return 'foreign';
    // Another log has taken this one's place, or somebody has made up a token.
    if (!hasToken(this.#token, data))
      return this.#mayRelearn('token') ? { readFrom: this.deliveredUpTo } : 'foreign';
    // Forged, or the log's clock was set.
    if (this.#clockBound.exceeds(head.n))
      return this.#mayRelearn('horizon') ? { readFrom: this.deliveredUpTo } : 'handled';
    // A copy of an old entry, published again.
    if (head.n <= this.deliveredUpTo && this.#isInStep && this.#isHeardOnce(channel)) return 'foreign';
    return this.#deliverInSequence(channel, data, head, reads);
  }

  /** A tick's claim to the log's head. Where history must be read first, the next tick will do. */
  judgeTick(position: Position, token: string, count: number): Judgement {
    const doubt = token !== this.#token ? 'token' : this.#clockBound.exceeds(position) ? 'horizon' : null;
    if (doubt) return this.#mayRelearn(doubt) ? { readFrom: this.deliveredUpTo } : 'foreign';
    this.deliveredUpTo = Math.max(this.deliveredUpTo, position);
    if (count > this.#inStepAfter) this.#isInStep = true;
    return 'handled';
  }

  #deliverInSequence(channel: string, data: Buffer, head: RecordHead, reads: number): Judgement {
    const route = this.#routes.route(channel);
    const { deliveredUpTo } = route;
    if (head.n <= deliveredUpTo) return 'handled';
    if (route.interests.length > 0 && head.prev > deliveredUpTo) {
      if (reads === this.#historyReads) return { readFrom: deliveredUpTo };
      // History was read since it came, and holds nothing that leads up to it.
      this.#routes.deliverGap({
        channel,
        after: deliveredUpTo,
        before: head.prev + 1,
        reason: 'trimmed',
        missed: null,
      });
    }
    this.deliveredUpTo = Math.max(this.deliveredUpTo, head.n);
    deliverRecord(route, new LogRecord(channel, data, head));
    return 'handled';
  }

  #mayRelearn(what: Doubt): boolean {
    if (performance.now() - this.#relearnedAt[what] < RELEARN_MS) return false;
    this.#relearnedAt[what] = performance.now();
    return true;
  }
}
