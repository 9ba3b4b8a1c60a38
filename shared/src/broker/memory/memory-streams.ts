// The embedded log's channels as pages of history are made from them. Answers at once, but that matching many patterns with
// many channels takes turns with all else.

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
  /** The highest number of a channel that was forgotten. */
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
    const lasts = new Map<string, Position>();
    const wildcards = patterns.filter((pattern) => !isExact(pattern)).map(channelMatcher);
    const exact = patterns.filter(isExact);
    for (const name of exact) {
      const last = channels.get(name)?.newest ?? 0;
      if (last > after) lasts.set(name, last);
    }
    if (wildcards.length > 0)
      for (const [name, { newest }] of channels) {
        if (newest <= after) continue;
        const turn = this.#pace.pauseIfDue();
        if (turn) await turn;
        if (wildcards.some((matches) => matches(name))) lasts.set(name, newest);
      }
    return {
      newestByChannel: lasts,
      allKnown: wildcards.length === 0 && exact.every((name) => channels.has(name)),
    };
  }

  async after(readings: readonly ChannelRead[], count: number): Promise<LogRecord[][]> {
    return readings.map(({ channel, completeUpTo }) => {
      const records = this.#records(channel);
      const start = firstAfter(records, completeUpTo);
      return records.slice(start, start + count);
    });
  }

  async readBefore(readings: readonly ChannelRead[], floor: Position, count: number): Promise<LogRecord[][]> {
    return readings.map(({ channel, completeUpTo }) => {
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

/** Index of the first record with a number above `position`. */
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
