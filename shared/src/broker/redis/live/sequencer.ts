// Judges each announcement by the head in front of it: the next entry of its channel, a repetition, or the proof that history must
// be read first. Delivers entries in their order, each once. It knows no connection.

import type { LogState } from '../../log-state.ts';
import type { Position } from '../../position.ts';
import { hasToken, isWellFormed, LogRecord, parseHead, type RecordHead } from '../../record.ts';
import { deliverRecord, type Routes } from '../../routes.ts';

/** Entries after this position are missing, or may be: history is to be read from there. */
export interface Missing {
  readFrom: Position;
}

/** `done`: the announcement was delivered or dropped, and nothing more is to be done with it. */
export type AnnouncementJudgement = 'done' | Missing;

/**
 * `complete`: everything up to the position of the tick has been delivered. `outdated`: the tick is of a log that this process
 * has left since the tick came, so that it says nothing.
 */
export type TickJudgement = 'complete' | 'outdated' | Missing;

export class Sequencer {
  /**
   * Everything up to here has been delivered, on all channels together; 0 before the log's state was first learned. It is the
   * cursor of this process: after a cut, history is read from here, and if the log went back this is the position that
   * `judgeCursor` judges.
   */
  deliveredUpTo: Position = 0;
  readonly #routes: Routes;
  readonly #onEntry: (position: Position, token: string) => void;
  #token = '';
  /** How many times a reading of history has begun. */
  #historyReads = 0;
  /** How far history was read last; undefined once a tick has come so far. */
  #readUpTo: Position | undefined;

  /** `onEntry` is told where each announced entry of the log with `token` lies, before listeners get it. */
  constructor(routes: Routes, onEntry: (position: Position, token: string) => void) {
    this.#routes = routes;
    this.#onEntry = onEntry;
  }

  /** Kept with each message when it comes, and compared when it is judged: has history been read in between? */
  get historyReads(): number {
    return this.#historyReads;
  }

  /**
   * Where to go on after a cut. Up to a second before, history was read on the primary: a replica that this process listens to may not have
   * come so far, and go on with another primary, without what was read. Then `deliveredUpTo` is a position of that one, and tells nothing.
   */
  get cursor(): Position {
    return Math.min(this.deliveredUpTo, this.#readUpTo ?? this.deliveredUpTo);
  }

  /** Asks for the log's state. Every entry that was announced before is in the history up to its head, or nowhere. */
  async learnState(ask: () => Promise<LogState>): Promise<LogState> {
    this.#historyReads++;
    const state = await ask();
    this.#token = state.token;
    this.#readUpTo = state.head;
    return state;
  }

  /** `reads` is what `historyReads` was when the message came. */
  judgeAnnouncement(channel: string, data: Buffer, reads: number): AnnouncementJudgement {
    const head = parseHead(data);
    // The log's scripts announce nothing of that kind. Whoever else may publish here may also write the log's keys.
    if (head === null || !isWellFormed(data, channel)) return 'done';
    if (!hasToken(this.#token, data)) return this.#missingInOtherLog(reads) ?? 'done';
    return this.#deliverInSequence(channel, data, head, reads);
  }

  /** A tick says that the log with this token has come to `position`. */
  judgeTick(position: Position, token: string, reads: number): TickJudgement {
    if (token !== this.#token) return this.#missingInOtherLog(reads) ?? 'outdated';
    this.deliveredUpTo = Math.max(this.deliveredUpTo, position);
    if (this.#readUpTo !== undefined && position >= this.#readUpTo) this.#readUpTo = undefined;
    return 'complete';
  }

  /**
   * The news that the log with this token has lost all that it had after `after`, told at `position`. By then it was known to nobody who
   * passed the place. Whoever reads history up to there is told by that.
   */
  judgeLoss(after: Position, position: Position, token: string): void {
    if (token !== this.#token || position <= this.deliveredUpTo) return;
    this.#routes.deliverGap({ channel: null, after, before: position + 1, reason: 'rollback', missed: null });
    this.deliveredUpTo = position;
  }

  /**
   * For a message with another token than that of the log that this process knows. Either another log has taken the place of that
   * one: it must be read. Or the message waited, and the log that it is of has been left meanwhile: then nothing is missing.
   */
  #missingInOtherLog(reads: number): Missing | undefined {
    return reads === this.#historyReads ? { readFrom: this.deliveredUpTo } : undefined;
  }

  /**
   * The rule of `prev` for live entries, in which the position that the channel's route has delivered is the cursor. For example,
   * that is 103. The entry 104 with prev 103 is the next. The entry 106 with prev 105 shows that 105 is missing: it is read from
   * history first. If 106 comes again after that, and 105 was not in history either, there is a gap after 103 and before 106.
   * A second copy, which another subscription of this process brings, is not after the cursor, and is dropped.
   */
  #deliverInSequence(channel: string, data: Buffer, head: RecordHead, reads: number): AnnouncementJudgement {
    const route = this.#routes.route(channel);
    const { deliveredUpTo } = route;
    if (head.n <= deliveredUpTo) return 'done';
    if (route.interests.length > 0 && head.prev > deliveredUpTo) {
      if (reads === this.#historyReads) return { readFrom: deliveredUpTo };
      // History has been read since this message came, and has neither given the entries in between nor named them. Why they
      // are gone is not asked here; entries of a channel in use are gone by trimming.
      this.#routes.deliverGap({
        channel,
        after: deliveredUpTo,
        before: head.prev + 1,
        reason: 'trimmed',
        missed: null,
      });
    }
    this.deliveredUpTo = Math.max(this.deliveredUpTo, head.n);
    this.#onEntry(head.n, this.#token);
    deliverRecord(route, new LogRecord(channel, data, head));
    return 'done';
  }
}
