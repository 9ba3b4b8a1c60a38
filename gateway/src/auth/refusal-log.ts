// Tells the operator, in the gateway's own log, why credentials were refused, which those who sent them are never told. At most one
// line a second for each way in, whatever is sent: the next line counts those that had none.

import type { Logger } from '@llm-streamer/shared/logger.ts';
import { LineLimiter } from '../line-limiter.ts';

const EVERY_MS = 1_000;

export class RefusalLog {
  readonly #logger: Logger;
  readonly #way: string;
  readonly #lines: LineLimiter;

  /** @param way what was refused, such as `a token`. */
  constructor(logger: Logger, way: string, now: () => number = Date.now) {
    this.#logger = logger;
    this.#way = way;
    this.#lines = new LineLimiter(EVERY_MS, now);
  }

  /**
   * Returns undefined, which is the answer to a credential.
   *
   * @param reason words of this program; never a part of what was sent.
   * @param key the public id of a key.
   */
  refuse(reason: string, key?: string): undefined {
    const count = this.#lines.take();
    if (count === 0) return;
    this.#logger.warn(
      { reason, ...(key !== undefined && { key }), ...(count > 1 && { before: count - 1 }) },
      `${this.#way} was refused`,
    );
  }
}
