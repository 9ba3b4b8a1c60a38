// Says on the gateway's own log, and on `logs:gateway`, what exporters were refused: most of them drop what was refused without a word.
// Each reason is said at once, and then at most once a minute, with how often it came.

import type { Level } from '@llm-streamer/shared/entry.ts';
import type { Logger } from '@llm-streamer/shared/logger.ts';

const PAUSE_MS = 60_000;
/** Codes and signals are few; the rest of a reason is not a part of its key. */
const MAX_REASONS = 100;

interface Told {
  at: number;
  /** What has come since then. */
  waiting: number;
}

export class Refusals {
  readonly #logger: Logger;
  readonly #report: (level: Level, msg: string) => void;
  readonly #told = new Map<string, Told>();

  constructor(logger: Logger, report: (level: Level, msg: string) => void) {
    this.#logger = logger;
    this.#report = report;
  }

  /** @param key what is one reason, such as `traces batch_too_large`. @param text what is said of it; holds no secret. */
  tell(key: string, text: string, count = 1): void {
    const known = this.#told.get(key);
    if (known === undefined && this.#told.size >= MAX_REASONS) return;
    const told = known ?? { at: 0, waiting: 0 };
    this.#told.set(key, told);
    told.waiting += count;
    const now = Date.now();
    if (now - told.at < PAUSE_MS) return;
    const msg = `OpenTelemetry: ${text}${told.waiting > 1 ? ` (${told.waiting} ×)` : ''}`;
    told.at = now;
    told.waiting = 0;
    this.#logger.warn(msg);
    this.#report('warn', msg);
  }
}
