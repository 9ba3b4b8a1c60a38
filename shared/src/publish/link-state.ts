// Whether a writer reaches its log. Only changes are logged: one line when the link is lost, one when it is back, and one for each
// new kind of refusal, so that an outage of an hour takes two lines.

import type { CodedError } from '../errors.ts';

export interface LinkLogger {
  info(msg: string): void;
  warn(msg: string): void;
}

export class LinkState {
  readonly #logger: LinkLogger | undefined;
  #lostAt: number | undefined;
  readonly #refusals = new Set<string>();

  constructor(logger: LinkLogger | undefined) {
    this.#logger = logger;
  }

  get isLost(): boolean {
    return this.#lostAt !== undefined;
  }

  unreachable(error: unknown): void {
    if (this.isLost) return;
    this.#lostAt = Date.now();
    this.#logger?.warn(`broker unavailable: ${shortMessage(error)}, buffering`);
  }

  /**
   * To be called when the log has taken a batch. If that ends an outage, `dropped` entries were lost during the outage.
   *
   * @param isWhole no entry of it was refused; otherwise the same refusal may come with every batch, and is not logged again.
   */
  acknowledged(dropped: number, isWhole: boolean): void {
    if (isWhole) this.#refusals.clear();
    this.#reportRestored(dropped);
  }

  refused(error: CodedError, entries: number, dropped: number): void {
    this.#reportRestored(dropped);
    if (this.#refusals.has(error.code)) return;
    this.#refusals.add(error.code);
    this.#logger?.warn(
      `broker refused ${entries === 1 ? '1 entry' : `${entries} entries`}, dropped: ${shortMessage(error)} (${error.code}); further refusals are not logged until a whole batch is taken`,
    );
  }

  #reportRestored(dropped: number): void {
    if (this.#lostAt === undefined) return;
    const seconds = Math.round((Date.now() - this.#lostAt) / 1000);
    this.#lostAt = undefined;
    this.#logger?.info(
      `broker back after ${seconds} s${dropped > 0 ? `, ${dropped} entries dropped meanwhile` : ''}`,
    );
  }
}

function shortMessage(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 300);
}
