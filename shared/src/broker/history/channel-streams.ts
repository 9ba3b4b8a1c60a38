// What a log must offer so that pages of history can be read from it: the newest position of each channel, and a few entries of
// each channel at a time. The log in Redis and the log in memory both implement this interface.
//
// A channel is *forgotten* when the log removes even its name and its newest position. The log does so with channels whose entries
// have expired, when it holds nearly as many channels as it may. An example: channel a had the entries 101 and 104 and is forgotten, and later a writer makes it anew with 120, whose
// prev is 0. A reader at 101 cannot see by 120 that it lacks 104. So the log keeps one number, the highest position of any
// forgotten channel (here 104), and each new channel remembers what this number was when the channel was made.

import type { Position } from '../position.ts';
import type { LogRecord } from '../record.ts';
import type { ChannelRead } from './page.ts';

export interface NewestEntries {
  /** The position of the newest entry, by channel. */
  newestByChannel: Map<string, Position>;
  /** Whether the query names channels alone, no patterns, and the log knows each of them. Then none of them is forgotten now. */
  allKnown: boolean;
}

export interface ChannelStreams {
  /** The channels whose newest entry is after `after`, even if the log does not hold that entry any more. */
  findNewest(patterns: readonly string[], after: Position): Promise<NewestEntries>;
  /** Gives for each channel the next `count` entries after its `completeUpTo`, oldest first. */
  readAfter(reads: readonly ChannelRead[], count: number): Promise<LogRecord[][]>;
  /** Gives for each channel the last `count` entries before its `completeUpTo`, but none up to `floor`, newest first. */
  readBefore(reads: readonly ChannelRead[], floor: Position, count: number): Promise<LogRecord[][]>;
  /**
   * For each channel, why its entries are missing: true if the oldest entries of its present stream were trimmed. Otherwise the
   * missing entries were in an earlier stream of the channel, which expired as a whole when the channel was idle.
   */
  wereTrimmed(channels: readonly string[]): Promise<boolean[]>;
  /** The highest position of any channel that was forgotten; 0 if none was. */
  highestForgotten(): Promise<Position>;
  /** For each channel, the value of `highestForgotten` at the time when the channel was made. */
  forgottenBefore(channels: readonly string[]): Promise<Position[]>;
}
