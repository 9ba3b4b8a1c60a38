// Tells the operator, in the gateway's own log, why credentials were refused, which those who sent them are never told. At most one
// line a second for each way in, whatever is sent: the next line counts those that had none.

import type { Logger } from '@llm-streamer/shared/logger.ts';

const EVERY_MS = 1_000;

export class Refusals {
  readonly #logger: Logger;
  readonly #way: string;
  readonly #now: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #silent = 0;

  /** @param way what was refused, such as `a token`. */
  constructor(logger: Logger, way: string, now: () => number = Date.now) {
    this.#logger = logger;
    this.#way = way;
    this.#now = now;
  }

  /**
   * Returns undefined, which is the answer to a credential.
   *
   * @param reason words of this program; never a part of what was sent.
   * @param key the public id of a key.
   */
  refuse(reason: string, key?: string): undefined {
    const now = this.#now();
    if (now - this.#last < EVERY_MS) {
      this.#silent += 1;
      return;
    }
    const before = this.#silent;
    this.#last = now;
    this.#silent = 0;
    this.#logger.warn(
      { reason, ...(key !== undefined && { key }), ...(before > 0 && { before }) },
      `${this.#way} was refused`,
    );
  }
}
