// Channels whose messages are shown live and never stored. Once a subscription was interrupted nobody can tell what went
// by on them, so that their readers must be told.

import type { Gap } from '../../broker.ts';
import type { Position } from '../../position.ts';

/** Beyond so many channels all readers are told: names that somebody makes up must not fill the memory. */
const MAX_CHANNELS = 10_000;

export class UnstoredChannels {
  readonly #channels = new Set<string>();
  #interrupted = false;

  markShown(channel: string): void {
    if (this.#channels.size <= MAX_CHANNELS) this.#channels.add(channel);
  }

  markInterrupted(): void {
    this.#interrupted = true;
  }

  /** What to tell at `position`, where delivery goes on: once after each interruption. */
  takeGaps(position: Position): Gap[] {
    if (!this.#interrupted) return [];
    this.#interrupted = false;
    const channels = this.#channels.size > MAX_CHANNELS ? [null] : [...this.#channels];
    return channels.map((channel) => ({
      channel,
      after: position,
      before: position + 1,
      reason: 'not_stored',
      missed: null,
    }));
  }
}
