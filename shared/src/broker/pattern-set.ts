// Channels and patterns, and which of them match a channel: found out once for each channel, however many messages come on it.

import { channelMatcher } from '../channels.ts';

/** Channels beyond this are compared anew, so that a flood of names cannot fill the memory. */
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

  /** In the order in which they were added. */
  patternsMatching(channel: string): readonly string[] {
    let found = this.#known.get(channel);
    if (found) return found;
    found = [...this.#matchers].filter(([, matches]) => matches(channel)).map(([pattern]) => pattern);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(channel, found);
    return found;
  }
}
