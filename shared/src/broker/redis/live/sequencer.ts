// Judges each announcement by the head in front of it: the next entry of its channel, a repetition, or the proof that history must
// be read first. Delivers entries in their order, each once. It knows no connection.

import type { LogState } from '../../log-state.ts';
import type { Position } from '../../position.ts';
import { hasToken, isWellFormed, LogRecord, parseHead, type RecordHead } from '../../record.ts';
import { deliverRecord, type Routes } from '../../routes.ts';

/** `handled`: nothing more is to be done with it. `readFrom`: entries after this position are missing. */
export type Judgement = 'handled' | { readFrom: Position };

export class Sequencer {
  /** Everything up to here has been delivered; 0 before the log's state was first learned. */
  deliveredUpTo: Position = 0;
  readonly #routes: Routes;
  #token = '';
  /** How many times a reading of history has begun. */
  #historyReads = 0;

  constructor(routes: Routes) {
    this.#routes = routes;
  }

  /** Kept with each message when it comes, and compared when it is judged: has history been read in between? */
  get historyReads(): number {
    return this.#historyReads;
  }

  /** Asks for the log's state. Every entry that was announced before is in the history up to its head, or nowhere. */
  async learnState(ask: () => Promise<LogState>): Promise<LogState> {
    this.#historyReads++;
    const state = await ask();
    this.#token = state.token;
    return state;
  }

  /** `reads` is what `historyReads` was when the message came. */
  judgeAnnouncement(channel: string, data: Buffer, reads: number): Judgement {
    const head = parseHead(data);
    // The log's scripts announce nothing of that kind. Whoever else may publish here may also write the log's keys.
    if (head === null || !isWellFormed(data, channel)) return 'handled';
    if (!hasToken(this.#token, data)) return this.#judgeOtherLog(reads);
    return this.#deliverInSequence(channel, data, head, reads);
  }

  /** A tick says that the log's head is `position`. If history must be read first, this tick is void: another one follows. */
  judgeTick(position: Position, token: string, reads: number): Judgement | 'void' {
    if (token !== this.#token) {
      const judgement = this.#judgeOtherLog(reads);
      return judgement === 'handled' ? 'void' : judgement;
    }
    this.deliveredUpTo = Math.max(this.deliveredUpTo, position);
    return 'handled';
  }

  /** Another log has taken the place of this one. Or it is this one that has done so since the message came. */
  #judgeOtherLog(reads: number): Judgement {
    return reads === this.#historyReads ? { readFrom: this.deliveredUpTo } : 'handled';
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
}
