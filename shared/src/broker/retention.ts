// How long the log keeps what: by count and idle time per channel, with values of its own for some prefixes.

import { CONVERSATION_PREFIX, RUN_PREFIX } from '../channels.ts';

export interface Retention {
  /** Entries kept per channel (approximately: whole blocks are dropped). */
  entries: number;
  /** Milliseconds without a new entry after which a channel's entries go. */
  idleMs: number;
}

export interface RetentionPolicy {
  default: Retention;
  /** The first prefix that fits wins. */
  prefixes: readonly (Retention & { prefix: string })[];
  /** Channels the log accepts. */
  maxChannels: number;
  /** Bytes the whole log may take; 0 for no bound. */
  maxBytes: number;
}

const HOUR_MS = 3_600_000;

export const DEFAULT_RETENTION: RetentionPolicy = {
  default: { entries: 10_000, idleMs: 24 * HOUR_MS },
  prefixes: [
    { prefix: RUN_PREFIX, entries: 10_000, idleMs: 6 * HOUR_MS },
    { prefix: CONVERSATION_PREFIX, entries: 10_000, idleMs: 30 * 24 * HOUR_MS },
  ],
  maxChannels: 50_000,
  maxBytes: 1_073_741_824,
};

export function retentionOf(policy: RetentionPolicy, channel: string): Retention {
  return policy.prefixes.find(({ prefix }) => channel.startsWith(prefix)) ?? policy.default;
}
