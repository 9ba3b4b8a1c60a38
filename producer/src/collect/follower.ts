// Follows the log of one container until it ends: reads it, reads it again where the engine broke off, and waits where the log of
// the streamer is slow.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerLog } from './container-log.ts';
import { type Engine, EngineAway, NoLog } from './engine.ts';
import { NotFrames } from './frames.ts';
import { parseStamp } from './stamp.ts';

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

export interface FollowerOptions {
  engine: Engine;
  id: string;
  /** What its entries are called, for lines of the collector's own log. */
  name: string;
  log: ContainerLog;
  /** Resolves when more entries may be read. */
  room: () => Promise<void>;
  warn: (line: string) => void;
}

/** Why a container is not followed any more; `ended` and `stopped` may change. */
export type End = 'gone' | 'ended' | 'unreadable' | 'stopped';

export class Follower {
  readonly #options: FollowerOptions;
  #failures = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  async follow(stop: AbortSignal): Promise<End> {
    while (!stop.aborted) {
      try {
        const end = await this.#read(stop);
        if (end !== undefined) return end;
      } catch (error) {
        if (stop.aborted) break;
        if (error instanceof NoLog) {
          this.#options.warn(`${this.#options.name} has no log that can be read: ${error.message}`);
          return 'unreadable';
        }
        // A wrong frame is repeated when the engine is at fault, and not when a connection was cut.
        if (error instanceof NotFrames) this.#warnOnce(error.message);
        else if (!(error instanceof EngineAway)) throw error;
        await this.#pause(stop);
      }
    }
    return 'stopped';
  }

  /** Reads the log once; undefined if it has to be read again. */
  async #read(stop: AbortSignal): Promise<End | undefined> {
    const { engine, id, log } = this.#options;
    const before = await engine.inspect(id);
    if (!before) return this.#gone();
    const answer = await engine.logs(
      id,
      log.reopen({ ...before, startedAt: parseStamp(before.startedAt) }),
      stop,
    );
    if (!answer) return this.#gone();
    const begun = performance.now();
    const chunks = (answer as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { value, done } = await chunks.next().catch((cause: Error) => {
          throw new EngineAway(cause.message, { cause });
        });
        if (done) break;
        await this.#options.room();
        if (stop.aborted) return 'stopped';
        log.push(value);
      }
    } finally {
      if (performance.now() - begun > RETRY_MAX_MS) this.#failures = 0;
      answer.destroy();
    }
    // The engine ends the log when the container ends, and also when the engine itself does.
    const after = await engine.inspect(id);
    if (!after) return this.#gone();
    if (after.isRunning || after.startedAt !== before.startedAt) {
      await this.#pause(stop);
      return undefined;
    }
    // Docker may end a log that it follows before the last words. A log that was opened after the end has them.
    if (before.isRunning) return undefined;
    this.#failures = 0;
    log.end();
    return 'ended';
  }

  #gone(): 'gone' {
    this.#options.log.end();
    return 'gone';
  }

  #warnOnce(message: string): void {
    if (this.#failures === 0) this.#options.warn(`${this.#options.name}: ${message}; its log is read again`);
  }

  async #pause(stop: AbortSignal): Promise<void> {
    const ms = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(this.#failures++, 10));
    await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
  }
}
