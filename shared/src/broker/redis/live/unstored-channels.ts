// Foreign messages that nobody adopts: they are shown live and never stored. They have no position, so nobody can resume them
// or notice by `prev` that one is missing. Therefore listeners get a gap after each interruption in which some may have been lost.

import type { Draft } from '../../../entry.ts';
import type { Gap } from '../../broker.ts';
import type { Position } from '../../position.ts';
import { LogRecord } from '../../record.ts';
import type { Routes } from '../../routes.ts';

/** Beyond this many channels that were shown, all listeners get the gap: invented channel names must not fill the memory. */
const MAX_SHOWN = 10_000;

export class UnstoredChannels {
  readonly #routes: Routes;
  /** Channels on which a message has been shown to somebody. */
  readonly #shown = new Set<string>();
  #interrupted = false;

  constructor(routes: Routes) {
    this.#routes = routes;
  }

  /** Shows a message to the listeners of its channel. It moves no position. */
  show({ channel, body }: Draft): void {
    const { interests } = this.#routes.route(channel);
    if (interests.length === 0) return;
    if (this.#shown.size <= MAX_SHOWN) this.#shown.add(channel);
    const record = new LogRecord(channel, Buffer.from(body), null);
    for (const { listener } of interests) listener.onRecord(record);
  }

  /** Messages may be lost from here until `reportGaps`. */
  markInterrupted(): void {
    this.#interrupted = true;
  }

  /** Reports at `position`, where delivery goes on, that messages may be missing. Once after each interruption. */
  reportGaps(position: Position): void {
    if (!this.#interrupted) return;
    this.#interrupted = false;
    const gap = { after: position, before: position + 1, reason: 'not_stored', missed: null } as const;
    if (this.#shown.size > MAX_SHOWN) {
      this.#routes.deliverGap({ ...gap, channel: null });
      return;
    }
    for (const channel of this.#shown) {
      const named: Gap = { ...gap, channel };
      for (const { listener } of this.#routes.route(channel).interests) listener.onGap(named);
    }
  }
}
