// Judges each message of a subscription by the head in front of it: the next entry of its channel, a repetition, a foreign message,
// or the proof that history must be read first. Delivers entries in their order, each once. It knows no connection.

import type { LogState } from '../../log-state.ts';
import type { Position } from '../../position.ts';
import { hasToken, isWellFormed, LogRecord, parseHead, type RecordHead } from '../../record.ts';
import { deliverRecord, type Routes } from '../../routes.ts';
import { ClockBound } from './clock-bound.ts';

/** `handled`: it was delivered now or before, or it is forged. `readFrom`: entries after this position are missing. */
export type Judgement = 'handled' | 'foreign' | { readFrom: Position };

/** A message that claims another token or a much later clock has the log's state read, but no more often than this. */
const RELEARN_MS = 1_000;
type Doubt = 'token' | 'horizon';

export class Sequencer {
  /** Everything up to here has been delivered; 0 before the log's state was first learned. */
  deliveredUpTo: Position = 0;
  readonly #routes: Routes;
  readonly #isHeardOnce: (channel: string) => boolean;
  readonly #clockBound = new ClockBound();
  #token = '';
  /** How many times a reading of history has begun. */
  #historyReads = 0;
  readonly #relearnedAt: Record<Doubt, number> = { token: -Infinity, horizon: -Infinity };
  /**
   * History is read on another connection, so entries that it held may still arrive by the subscription. Only a tick that was
   * sent after the reading shows that all of them have come.
   */
  #isInStep = false;
  #inStepAfter = 0;

  /** `isHeardOnce` says whether exactly one subscription brings the messages of a channel. */
  constructor(routes: Routes, isHeardOnce: (channel: string) => boolean) {
    this.#routes = routes;
    this.#isHeardOnce = isHeardOnce;
  }

  /** Kept with each message when it comes, and compared when it is judged: has history been read in between? */
  get historyReads(): number {
    return this.#historyReads;
  }

  /** Asks for the log's state. Every entry that was announced before is in the history up to its head, or nowhere. */
  async learnState(ask: () => Promise<LogState>): Promise<LogState> {
    this.#historyReads++;
    const askedAt = performance.now();
    const state = await ask();
    this.#token = state.token;
    this.#clockBound.calibrate(state, askedAt);
    return state;
  }

  /** History has been delivered. Ticks up to number `sentTicks` were sent before that. */
  onCaughtUp(sentTicks: number): void {
    this.#isInStep = false;
    this.#inStepAfter = sentTicks;
  }

  /** `reads` is what `historyReads` was when the message came. */
  judgeMessage(channel: string, data: Buffer, reads: number): Judgement {
    const head = parseHead(data);
    if (head === null || !isWellFormed(data, channel)) return 'foreign';
    // Another log has taken the place of this one, or the token is forged.
    if (!hasToken(this.#token, data))
      return this.#mayRelearn('token') ? { readFrom: this.deliveredUpTo } : 'foreign';
    // The position is forged, or the log's clock was set.
    if (this.#clockBound.exceeds(head.n))
      return this.#mayRelearn('horizon') ? { readFrom: this.deliveredUpTo } : 'handled';
    // A program has published a copy of an old entry. The log announces each only once.
    if (head.n <= this.deliveredUpTo && this.#isInStep && this.#isHeardOnce(channel)) return 'foreign';
    return this.#deliverInSequence(channel, data, head, reads);
  }

  /** A tick says that the log's head is `position`. If history must be read first, this tick is void: another one follows. */
  judgeTick(position: Position, token: string, count: number): Judgement {
    const doubt = token !== this.#token ? 'token' : this.#clockBound.exceeds(position) ? 'horizon' : null;
    if (doubt) return this.#mayRelearn(doubt) ? { readFrom: this.deliveredUpTo } : 'foreign';
    this.deliveredUpTo = Math.max(this.deliveredUpTo, position);
    if (count > this.#inStepAfter) this.#isInStep = true;
    return 'handled';
  }

  /**
   * By the rule of `prev`. For example, the channel has been delivered up to 103. The entry 104 with prev 103 is the next. The entry
   * 106 with prev 105 shows that 105 is missing: it is read from history first. If 106 comes again after that, and 105 was not
   * in history either, there is a gap after 103 and before 106.
   */
  #deliverInSequence(channel: string, data: Buffer, head: RecordHead, reads: number): Judgement {
    const route = this.#routes.route(channel);
    const { deliveredUpTo } = route;
    if (head.n <= deliveredUpTo) return 'handled';
    if (route.interests.length > 0 && head.prev > deliveredUpTo) {
      if (reads === this.#historyReads) return { readFrom: deliveredUpTo };
      // History has been read since this message came, and it does not hold the entries in between.
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
