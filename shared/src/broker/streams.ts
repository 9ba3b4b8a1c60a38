// What pages of history are made from, whatever keeps the log: its channels, one stretch of each at a time.

import type { Reading } from './page.ts';
import type { Position } from './position.ts';
import type { LogRecord } from './record.ts';

export interface Lasts {
  /** Channel to the number of its newest entry. */
  lasts: Map<string, Position>;
  /** True when every channel asked for is remembered. */
  known: boolean;
}

export interface Streams {
  /** Channels with an entry after `after`. */
  lasts(patterns: readonly string[], after: Position): Promise<Lasts>;
  /** Of each channel the oldest `count` entries behind its reach, oldest first. */
  after(readings: readonly Reading[], count: number): Promise<LogRecord[][]>;
  /** Of each channel the newest `count` entries before its reach and after `floor`, newest first. */
  before(readings: readonly Reading[], floor: Position, count: number): Promise<LogRecord[][]>;
  /** Whether each channel's stream gave up entries since it was made; else what is missing went with one before it. */
  trimmed(channels: readonly string[]): Promise<boolean[]>;
  /** The highest number of any channel that was forgotten altogether. */
  forgotten(): Promise<Position>;
  /** For each channel the highest number that was forgotten, of any channel, when it was made. */
  reborn(channels: readonly string[]): Promise<Position[]>;
}
