// Says on the gateway's own log, and on `logs:gateway`, what senders were refused: most of them drop what was refused without a word.
// Each reason is said at once, and then at most once a minute, with how often it came.

import type { Level } from '@llm-streamer/shared/entry.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';
import { LineLimiter } from '../line-limiter.ts';

const PAUSE_MS = 60_000;
/** Codes and signals are few; the rest of a reason is not a part of its key. */
const MAX_REASONS = 100;

export class Refusals {
  readonly #logger: Logger;
  readonly #report: (level: Level, msg: string) => void;
  /** By reason. */
  readonly #lines = new Map<string, LineLimiter>();
  readonly #senders: string;

  /** @param senders whom it is about, as the first word of each line */
  constructor(logger: Logger, report: (level: Level, msg: string) => void, senders: string) {
    this.#logger = logger;
    this.#report = report;
    this.#senders = senders;
  }

  /** @param key what is one reason, such as `traces batch_too_large`. @param text what is said of it; holds no secret. */
  tell(key: string, text: string): void {
    const known = this.#lines.get(key);
    if (known === undefined && this.#lines.size >= MAX_REASONS) return;
    const lines = known ?? new LineLimiter(PAUSE_MS);
    this.#lines.set(key, lines);
    const times = lines.take();
    if (times === 0) return;
    const msg = `${this.#senders}: ${text}${times > 1 ? ` (${times} ×)` : ''}`;
    this.#logger.warn(msg);
    this.#report('warn', msg);
  }
}
