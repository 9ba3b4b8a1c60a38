// What is known of a payload before it is looked at.

import type { Level } from '../entry.ts';

export interface DecodeContext {
  /** Where it arrived; an object's own `channel` is used only in strict mode, where the caller has checked none. */
  channel: string;
  /** Epoch ms for entries that carry no time. */
  now: number;
  /** Label for entries that name no source. */
  source: string;
  /** Of entries that name no level; `info` by default. */
  level?: Level;
  /** How many lines have carried this one. */
  depth?: number;
}
