// What pages of history are made from, whatever keeps the log: its channels, one stretch of each at a time.

import type { Position } from '../position.ts';
import type { LogRecord } from '../record.ts';
import type { ChannelRead } from './page.ts';

export interface NewestEntries {
  /** Channel to the number of its newest entry. */
  newestByChannel: Map<string, Position>;
  /** True when every channel asked for is remembered. */
  allKnown: boolean;
}

export interface ChannelStreams {
  /** Channels with an entry after `after`. */
  findNewest(patterns: readonly string[], readAfter: Position): Promise<NewestEntries>;
  /** Of each channel the oldest `count` entries behind its reach, oldest first. */
  after(readings: readonly ChannelRead[], count: number): Promise<LogRecord[][]>;
  /** Of each channel the newest `count` entries before its reach and after `floor`, newest first. */
  readBefore(readings: readonly ChannelRead[], floor: Position, count: number): Promise<LogRecord[][]>;
  /** Whether each channel's stream gave up entries since it was made; else what is missing went with one before it. */
  wereTrimmed(channels: readonly string[]): Promise<boolean[]>;
  /** The highest number of any channel that was forgotten altogether. */
  highestForgotten(): Promise<Position>;
  /** For each channel the highest number that was forgotten, of any channel, when it was made. */
  forgottenBefore(channels: readonly string[]): Promise<Position[]>;
}
