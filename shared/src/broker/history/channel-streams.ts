// What a log must offer so that pages of history can be read from it: the newest position of its channels, and some entries of each
// at a time. Redis and memory each implement it.

import type { Position } from '../position.ts';
import type { LogRecord } from '../record.ts';
import type { ChannelRead } from './page.ts';

export interface NewestEntries {
  /** The position of the newest entry, by channel. */
  newestByChannel: Map<string, Position>;
  /** Whether the log knows every channel of the query. Then none of them was forgotten. */
  allKnown: boolean;
}

export interface ChannelStreams {
  /** The channels whose newest entry is after `after`, even if the log does not hold that entry any more. */
  findNewest(patterns: readonly string[], after: Position): Promise<NewestEntries>;
  /** Of each channel the `count` entries after its `completeUpTo`, oldest first. */
  readAfter(reads: readonly ChannelRead[], count: number): Promise<LogRecord[][]>;
  /** Of each channel the `count` entries before its `completeUpTo` and after `floor`, newest first. */
  readBefore(reads: readonly ChannelRead[], floor: Position, count: number): Promise<LogRecord[][]>;
  /**
   * Whether entries were dropped from the stream of each channel as it is now. If not, missing entries were in an earlier stream,
   * which expired as a whole.
   */
  wereTrimmed(channels: readonly string[]): Promise<boolean[]>;
  /** The highest position of any channel that was forgotten; 0 if none was. */
  highestForgotten(): Promise<Position>;
  /** For each channel what `highestForgotten` was when the channel was made. */
  forgottenBefore(channels: readonly string[]): Promise<Position[]>;
}
