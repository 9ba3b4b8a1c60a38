// Judges by the log's own numbers what a subscription brings: the next entry of its channel, one that was had before, a
// stranger's message, or the proof that history must be read first. Delivers what is next; knows no connection.

import { Horizon } from './horizon.ts';
import type { LogState } from './page.ts';
import type { Position } from './position.ts';
import { type Head, isOf, isSound, LogRecord, parseHead } from './record.ts';
import { deliver, type Routes } from './routes.ts';

/** `taken`: delivered, had before, or forged. */
export type Judgement = 'taken' | 'foreign' | { readFrom: Position };

/** A log whose token or clock seems to have changed is looked at no more often than this; forgeries cost no more. */
const RELEARN_MS = 1_000;
type Doubt = 'token' | 'horizon';

export class Sequencer {
  /** Everything up to here has been delivered; 0 before the log's state was first learned. */
  position: Position = 0;
  readonly #routes: Routes;
  readonly #heardOnce: (channel: string) => boolean;
  readonly #horizon = new Horizon();
  #token = '';
  /** Times that the log's history was begun to be read. */
  #reads = 0;
  readonly #doubtedAt: Record<Doubt, number> = { token: -Infinity, horizon: -Infinity };
  /** History is read on another connection: until a later tick comes back, what it held may still arrive here too. */
  #inStep = false;
  #inStepAfter = 0;

  /** `heardOnce` tells whether messages of a channel come by one subscription only. */
  constructor(routes: Routes, heardOnce: (channel: string) => boolean) {
    this.#routes = routes;
    this.#heardOnce = heardOnce;
  }

  /** Kept with each message when it comes: tells whether history has been read since. */
  get reads(): number {
    return this.#reads;
  }

  /** Asks for the log's state; what came before now is either in the history up to its head, or nowhere. */
  async learn(ask: () => Promise<LogState>): Promise<LogState> {
    this.#reads++;
    const askedAt = performance.now();
    const state = await ask();
    this.#token = state.token;
    this.#horizon.learn(state, askedAt);
    return state;
  }

  /** History has been delivered up to `position`; the ticks up to `sentTicks` say nothing of what comes after it. */
  joined(sentTicks: number): void {
    this.#inStep = false;
    this.#inStepAfter = sentTicks;
  }

  /** `reads` as it was when the message came. */
  message(channel: string, data: Buffer, reads: number): Judgement {
    const head = parseHead(data);
    if (head === null || !isSound(data, channel)) return 'foreign';
    // Another log has taken this one's place, or somebody has made up a token.
    if (!isOf(this.#token, data)) return this.#mayDoubt('token') ? { readFrom: this.position } : 'foreign';
    // Forged, or the log's clock was set.
    if (this.#horizon.isBeyond(head.n))
      return this.#mayDoubt('horizon') ? { readFrom: this.position } : 'taken';
    // A copy of an old entry, published again.
    if (head.n <= this.position && this.#inStep && this.#heardOnce(channel)) return 'foreign';
    return this.#entry(channel, data, head, reads);
  }

  /** A tick's claim to the log's head. Where history must be read first, the next tick will do. */
  tick(position: Position, token: string, count: number): Judgement {
    const doubt = token !== this.#token ? 'token' : this.#horizon.isBeyond(position) ? 'horizon' : null;
    if (doubt) return this.#mayDoubt(doubt) ? { readFrom: this.position } : 'foreign';
    this.position = Math.max(this.position, position);
    if (count > this.#inStepAfter) this.#inStep = true;
    return 'taken';
  }

  #entry(channel: string, data: Buffer, head: Head, reads: number): Judgement {
    const route = this.#routes.route(channel);
    const { last } = route;
    if (head.n <= last) return 'taken';
    if (route.interests.length > 0 && head.prev > last) {
      if (reads === this.#reads) return { readFrom: last };
      // History was read since it came, and holds nothing that leads up to it.
      this.#routes.gap({ channel, after: last, before: head.prev + 1, reason: 'trimmed', missed: null });
    }
    this.position = Math.max(this.position, head.n);
    deliver(route, new LogRecord(channel, data, head));
    return 'taken';
  }

  #mayDoubt(what: Doubt): boolean {
    if (performance.now() - this.#doubtedAt[what] < RELEARN_MS) return false;
    this.#doubtedAt[what] = performance.now();
    return true;
  }
}
