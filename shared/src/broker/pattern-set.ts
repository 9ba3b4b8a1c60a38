// A set of channels and patterns that finds those which match a channel. A channel is compared with all of them once, at its first
// message; then the answer is remembered.

import { channelMatcher } from '../channels.ts';

/** When this many answers are remembered, all are forgotten, so that a flood of channel names cannot fill the memory. */
const MAX_KNOWN = 10_000;

export class PatternSet {
  readonly #matchers = new Map<string, (channel: string) => boolean>();
  readonly #known = new Map<string, readonly string[]>();
  readonly #matcher: typeof channelMatcher;

  constructor(matcher = channelMatcher) {
    this.#matcher = matcher;
  }

  add(pattern: string): void {
    if (this.#matchers.has(pattern)) return;
    this.#matchers.set(pattern, this.#matcher(pattern));
    this.#known.clear();
  }

  delete(pattern: string): void {
    if (this.#matchers.delete(pattern)) this.#known.clear();
  }

  clear(): void {
    this.#matchers.clear();
    this.#known.clear();
  }

  /** The patterns are in the order in which they were added. */
  patternsMatching(channel: string): readonly string[] {
    let found = this.#known.get(channel);
    if (found) return found;
    found = [...this.#matchers].filter(([, matches]) => matches(channel)).map(([pattern]) => pattern);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(channel, found);
    return found;
  }
}
