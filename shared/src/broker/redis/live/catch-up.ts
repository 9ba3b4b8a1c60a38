// Joins history and live for the subscription of one process: what was missed is delivered from history first, and messages
// that arrive meanwhile are held. So listeners get each entry once and in order, or a gap that names what is missing.

import { BoundedBuffer } from '../../bounded-buffer.ts';
import type { Position } from '../../position.ts';
import type { Routes } from '../../routes.ts';
import type { RedisHistory } from '../history.ts';
import { replay } from './replay.ts';
import type { Sequencer } from './sequencer.ts';

interface CatchUpOptions<Message> {
  history: RedisHistory;
  routes: Routes;
  sequencer: Sequencer;
  /** History has been delivered up to the sequencer's position. Called before the messages that were held. */
  onLive: () => void;
  /** A message whose turn has come. */
  handle: (message: Message) => void;
  /** More messages came than may be held, and all of them were dropped. */
  onOverflow: () => void;
}

/**
 * Three states:
 *
 *   detached ──attach()──▶ catching up ──history is read──▶ live
 *      ▲                        ▲                             │
 *      │                        └──run(): entries are missing─┤
 *      └──────────────detach(): the connection broke──────────┘
 *
 * An example. The connection breaks when entry 105 has been delivered, and is there again a second later. `run(105)` finds
 * that the log has come to 108, and delivers 106 to 108 from history. Meanwhile the new subscription brings 108 and 109. They
 * are held until history is read; then 108 is recognised as delivered already, and 109 is delivered.
 */
export class CatchUp<Message extends { data: Buffer }> {
  readonly #options: CatchUpOptions<Message>;
  readonly #held = new BoundedBuffer<Message>();
  /** Counts the connections, so that a reading of history notices that its own has broken. */
  #connection = 0;
  #isAttached = false;
  #isRunning = false;
  #isLive = false;

  constructor(options: CatchUpOptions<Message>) {
    this.#options = options;
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** Whether Redis has acknowledged all subscriptions: a message that is published now arrives, and is handled or held. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** The number of the present connection. */
  get connection(): number {
    return this.#connection;
  }

  attach(): void {
    this.#isAttached = true;
  }

  /** What was held is in history, which the next connection reads first. */
  detach(): void {
    this.#connection++;
    this.#isAttached = false;
    this.#isLive = false;
    this.#held.clear();
  }

  receive(message: Message): void {
    if (this.#isLive) this.#options.handle(message);
    else this.hold(message);
  }

  hold(message: Message): void {
    if (!this.#held.hold(message)) this.#options.onOverflow();
  }

  /**
   * Delivers what history holds after `from`, then what was held, and is live. With `from` 0 nothing was delivered before:
   * delivery begins at the log's head. False where it cannot become live now, or another call is at it already.
   */
  async run(from: Position): Promise<boolean> {
    if (this.#isRunning) return false;
    this.#isRunning = true;
    this.#isLive = false;
    const { history, routes, sequencer } = this.#options;
    try {
      // Once more where the connection broke during the reading, or held messages were dropped: a reading joins up with
      // the subscription only if it begins after the subscription does, and nothing is lost from then on.
      let after = from;
      // -1 is no connection, so it begins with a first round.
      for (let connection = -1; connection !== this.#connection || this.#held.overflowed; ) {
        connection = this.#connection;
        await history.guard?.wait();
        if (!this.#isAttached) return false; // the next connection goes on from the sequencer's position
        this.#held.overflowed = false;
        const { head } = await sequencer.learnState(() => history.state());
        if (after === 0) sequencer.deliveredUpTo = head;
        else {
          const range = { from: after, upTo: head, deliveredUpTo: sequencer.deliveredUpTo };
          await replay(history, routes, range, (position) => {
            sequencer.deliveredUpTo = position;
          });
        }
        after = sequencer.deliveredUpTo;
      }
    } finally {
      this.#isRunning = false;
    }
    const held = this.#held.drain();
    this.#isLive = true;
    this.#options.onLive();
    // One of these may show that more is missing. Then the rest is held again.
    for (const message of held) this.receive(message);
    return true;
  }
}
