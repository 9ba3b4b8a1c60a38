// The channels of the log in memory, for pages of history. Reading an entry takes no time worth mentioning. Only comparing many
// patterns with many channels does, so that this work is cut into slices between which the event loop does other work.

import { channelMatcher, isExact } from '../../channels.ts';
import type { TimeSlicer } from '../../time-slicer.ts';
import type { ChannelStreams, NewestEntries } from '../history/channel-streams.ts';
import type { ChannelRead } from '../history/page.ts';
import type { Position } from '../position.ts';
import type { LogRecord } from '../record.ts';
import type { Channel } from './memory-store.ts';

/** What the streams need of the store. */
export interface Channels {
  readonly channels: ReadonlyMap<string, Channel>;
  /** The highest position of any channel that was forgotten; 0 if none was. */
  readonly forgotten: Position;
}

export class MemoryStreams implements ChannelStreams {
  readonly #store: Channels;
  readonly #pace: TimeSlicer;

  constructor(store: Channels, pace: TimeSlicer) {
    this.#store = store;
    this.#pace = pace;
  }

  async findNewest(patterns: readonly string[], after: Position): Promise<NewestEntries> {
    const { channels } = this.#store;
    const newestByChannel = new Map<string, Position>();
    const wildcards = patterns.filter((pattern) => !isExact(pattern)).map(channelMatcher);
    const exact = patterns.filter(isExact);
    for (const name of exact) {
      const last = channels.get(name)?.newest ?? 0;
      if (last > after) newestByChannel.set(name, last);
    }
    if (wildcards.length > 0)
      for (const [name, { newest }] of channels) {
        if (newest <= after) continue;
        const pause = this.#pace.pauseIfDue();
        if (pause) await pause;
        if (wildcards.some((matches) => matches(name))) newestByChannel.set(name, newest);
      }
    return {
      newestByChannel,
      allKnown: wildcards.length === 0 && exact.every((name) => channels.has(name)),
    };
  }

  async readAfter(reads: readonly ChannelRead[], count: number): Promise<LogRecord[][]> {
    return reads.map(({ channel, completeUpTo }) => {
      const records = this.#records(channel);
      const start = firstAfter(records, completeUpTo);
      return records.slice(start, start + count);
    });
  }

  async readBefore(reads: readonly ChannelRead[], floor: Position, count: number): Promise<LogRecord[][]> {
    return reads.map(({ channel, completeUpTo }) => {
      const records = this.#records(channel);
      const end = firstAfter(records, completeUpTo - 1);
      return records.slice(Math.max(firstAfter(records, floor), end - count), end).reverse();
    });
  }

  async wereTrimmed(channels: readonly string[]): Promise<boolean[]> {
    return channels.map((name) => this.#store.channels.get(name)?.reason === 'trimmed');
  }

  async highestForgotten(): Promise<Position> {
    return this.#store.forgotten;
  }

  async forgottenBefore(channels: readonly string[]): Promise<Position[]> {
    return channels.map((name) => this.#store.channels.get(name)?.forgotten ?? 0);
  }

  #records(channel: string): readonly LogRecord[] {
    return this.#store.channels.get(channel)?.records ?? [];
  }
}

/** The index of the first record after `position`. */
function firstAfter(records: readonly LogRecord[], position: Position): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle] as LogRecord).n <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
