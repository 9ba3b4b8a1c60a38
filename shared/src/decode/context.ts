// What is known about a payload before it is decoded.

import type { Level } from '../entry.ts';

export interface DecodeContext {
  /** The channel of the entry. An object's own `channel` is never used; a caller that allows it has checked it and puts it here. */
  channel: string;
  /** Epoch ms, the time of entries that name none. */
  now: number;
  /** The source of entries that name none. */
  source: string;
  /** The level of entries that name none; `info` by default. */
  level?: Level;
  /**
   * How many other lines this line was taken out of; 0 by default. For example, Docker's `{"log":"level=warn msg=slow"}` carries a
   * line of logfmt, which is decoded with depth 1.
   */
  depth?: number;
}
